// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The vaults' addresses and their making
/// @notice A vault is a proxy of 39 bytes made by CREATE2 with the order's id as salt. It forwards its calldata by
/// DELEGATECALL and returns, or reverts with, as many bytes as the calldata had: what the vault's verbs answer and
/// their errors fit. That makes it five bytes, 1,000 gas, shorter than ERC-7511, which measures the answer.
library Vaults {
    /// Returns the 39 bytes that follow it.
    bytes9 private constant RETURN_RUNTIME = 0x60278060095f395ff3;
    /// calldatacopy(0, 0, calldatasize); 0 and calldatasize, for the end; then
    /// delegatecall(gas, target, 0, calldatasize, 0, calldatasize).
    bytes11 private constant BEFORE_TARGET = 0x365f5f37365f365f365f73;
    /// If it failed revert(0, calldatasize), else return(0, calldatasize).
    bytes8 private constant AFTER_TARGET = 0x5af4602557fd5bf3;
    uint256 private constant CREATION_BYTES = 48;

    /// @notice Code that makes a proxy of `target`.
    function creationCode(address target) internal pure returns (bytes memory) {
        return abi.encodePacked(RETURN_RUNTIME, BEFORE_TARGET, target, AFTER_TARGET);
    }

    /// @notice The creation code as two words, to be kept as immutables.
    function words(address target) internal pure returns (bytes32 head, bytes32 tail) {
        bytes memory code = creationCode(target);
        assembly ("memory-safe") {
            head := mload(add(code, 0x20))
            tail := mload(add(code, 0x40))
        }
    }

    /// @notice Makes the vault from the creation code's two words; zero if it has code already.
    function create(bytes32 orderId, bytes32 head, bytes32 tail) internal returns (address vault) {
        assembly ("memory-safe") {
            mstore(0x00, head)
            mstore(0x20, tail)
            vault := create2(0, 0x00, CREATION_BYTES, orderId)
        }
    }
}
