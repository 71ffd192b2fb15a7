// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IPermit2} from "../interfaces/IPermit2.sol";

/// @notice Stands in for Uniswap's Permit2 in tests: its witness transfer with its hashing, and no more.
contract Permit2StandIn is IPermit2 {
    string private constant STUB = "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,"
        "uint256 nonce,uint256 deadline,";
    bytes32 private constant PERMISSIONS_TYPEHASH = keccak256("TokenPermissions(address token,uint256 amount)");

    mapping(address owner => mapping(uint256 nonce => bool)) private used;

    error SignatureExpired(uint256 deadline);
    error InvalidAmount(uint256 permitted);
    error InvalidNonce();
    error InvalidSigner();

    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata details,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external {
        require(block.timestamp <= permit.deadline, SignatureExpired(permit.deadline));
        require(details.requestedAmount <= permit.permitted.amount, InvalidAmount(permit.permitted.amount));
        require(!used[owner][permit.nonce], InvalidNonce());
        used[owner][permit.nonce] = true;
        bytes32 digest = hash(permit, msg.sender, witness, witnessTypeString);
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        require(recovered == owner, InvalidSigner());
        SafeERC20.safeTransferFrom(IERC20(permit.permitted.token), owner, details.to, details.requestedAmount);
    }

    function hash(PermitTransferFrom calldata permit, address spender, bytes32 witness, string calldata witnessType)
        private
        view
        returns (bytes32)
    {
        bytes32 typehash = keccak256(abi.encodePacked(STUB, witnessType));
        bytes32 permissions =
            keccak256(abi.encode(PERMISSIONS_TYPEHASH, permit.permitted.token, permit.permitted.amount));
        bytes32 permitHash =
            keccak256(abi.encode(typehash, permissions, spender, permit.nonce, permit.deadline, witness));
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,uint256 chainId,address verifyingContract)"),
                keccak256("Permit2"),
                block.chainid,
                address(this)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, permitHash));
    }
}
