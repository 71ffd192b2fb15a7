// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The address that holds one order's tokens
/// @notice Obeys the escrow that made it, and nobody else.
interface IVault {
    /// @notice The caller is not the escrow.
    error OnlyEscrow(address sender);
    /// @notice A transfer failed with less gas than a refusal must have had, so it proves nothing.
    error InsufficientGas(uint256 available, uint256 needed);

    /// @notice Sends an order's three payouts in the order's token; one of zero is left out.
    /// @param token The order's token.
    /// @param buyer Who gets `toBuyer`.
    /// @param toBuyer The buyer's share less the fee, in the token's smallest unit.
    /// @param feeRecipient Who gets `fee`.
    /// @param fee The fee, in the token's smallest unit.
    /// @param seller Who gets `toSeller`.
    /// @param toSeller All the rest, in the token's smallest unit.
    /// @return refused Bits 0, 1, 2 for each that the token refused: it reverted, or answered false.
    function deliver(
        address token,
        address buyer,
        uint256 toBuyer,
        address feeRecipient,
        uint256 fee,
        address seller,
        uint256 toSeller
    ) external returns (uint256 refused);

    /// @notice Sends `amount` of `token`; zero is the chain's native coin.
    /// @param token Any ERC-20 token, or zero.
    /// @param to Who gets it.
    /// @param amount In the token's smallest unit.
    /// @return sent Whether it was taken.
    function send(address token, address to, uint256 amount) external returns (bool sent);
}
