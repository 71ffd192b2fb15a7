// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The part of Uniswap's Permit2 (SignatureTransfer) that the escrow calls.
interface IPermit2 {
    struct TokenPermissions {
        address token;
        uint256 amount;
    }

    struct PermitTransferFrom {
        TokenPermissions permitted;
        uint256 nonce;
        uint256 deadline;
    }

    struct SignatureTransferDetails {
        address to;
        uint256 requestedAmount;
    }

    /// @notice Moves tokens by a signature of `owner` that also covers `witness`.
    /// @param permit Token, most that may move, nonce and deadline, as signed.
    /// @param transferDetails To whom, and how much.
    /// @param owner Who signed, and whose tokens move.
    /// @param witness EIP-712 struct hash of what else was signed.
    /// @param witnessTypeString The end of the signed type, from the witness's on.
    /// @param signature The owner's.
    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external;
}
