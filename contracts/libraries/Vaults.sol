// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The vaults' addresses and their making
/// @notice A vault is a minimal proxy (ERC-7511: ERC-1167 with PUSH0) made by CREATE2 with the order's id as salt.
library Vaults {
    /// Returns the 44 bytes that follow it.
    bytes9 private constant RETURN_RUNTIME = 0x602c8060095f395ff3;
    bytes9 private constant BEFORE_TARGET = 0x365f5f375f5f365f73;
    bytes15 private constant AFTER_TARGET = 0x5af43d5f5f3e5f3d91602a57fd5bf3;

    /// @notice Code that makes a proxy of `target`.
    function creationCode(address target) internal pure returns (bytes memory) {
        return abi.encodePacked(RETURN_RUNTIME, BEFORE_TARGET, target, AFTER_TARGET);
    }

    /// @notice Makes the vault, a proxy of the calling contract; zero if it has code already.
    function create(bytes32 orderId) internal returns (address vault) {
        bytes memory code = creationCode(address(this));
        assembly ("memory-safe") {
            vault := create2(0, add(code, 0x20), mload(code), orderId)
        }
    }
}
