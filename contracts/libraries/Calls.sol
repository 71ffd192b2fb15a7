// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A call that can cost its caller no more than was given
library Calls {
    /// Revert reasons are cut here: an error's selector and ten words.
    uint256 private constant MAX_REASON_BYTES = 324;

    /// @notice Calls with at most `gasLimit`, and copies no more of a revert's reason than MAX_REASON_BYTES.
    function tryCall(address target, uint256 gasLimit, bytes memory data)
        internal
        returns (bool succeeded, bytes memory reason)
    {
        assembly ("memory-safe") {
            succeeded := call(gasLimit, target, 0, add(data, 0x20), mload(data), 0, 0)
            reason := mload(0x40)
            let size := mul(iszero(succeeded), returndatasize())
            if gt(size, MAX_REASON_BYTES) { size := MAX_REASON_BYTES }
            mstore(reason, size)
            returndatacopy(add(reason, 0x20), 0, size)
            mstore(0x40, and(add(add(reason, size), 0x3f), not(0x1f)))
        }
    }
}
