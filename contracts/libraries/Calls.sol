// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A verb of this contract, in a call of its own so that it can fail alone
library Calls {
    /// Revert reasons are cut here: an error's selector and ten words.
    uint256 private constant MAX_REASON_BYTES = 324;

    /// @notice Runs a verb as the sender's own call, with at most `gasLimit`.
    /// @param arguments ABI encoding of the verb's arguments.
    function tryVerb(uint256 gasLimit, bytes4 verb, bytes calldata arguments) internal returns (bool succeeded) {
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, verb)
            calldatacopy(add(data, 0x04), arguments.offset, arguments.length)
            succeeded := delegatecall(gasLimit, address(), data, add(arguments.length, 0x04), 0, 0)
        }
    }

    /// @notice Why the last call reverted; no more of it than MAX_REASON_BYTES.
    function reason() internal pure returns (bytes memory words) {
        assembly ("memory-safe") {
            words := mload(0x40)
            let size := returndatasize()
            if gt(size, MAX_REASON_BYTES) { size := MAX_REASON_BYTES }
            mstore(words, size)
            returndatacopy(add(words, 0x20), 0, size)
            mstore(0x40, and(add(add(words, size), 0x3f), not(0x1f)))
        }
    }
}
