// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A token that calls back during a transfer, as hooks do, and remembers what came of it; for tests.
contract ReenteringToken {
    mapping(address => uint256) public balanceOf;
    address private target;
    bytes private callback;
    bool public called;
    bytes public answer;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function setCallback(address to, bytes calldata data) external {
        (target, callback) = (to, data);
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
        (called, answer) = target.call(callback);
        return true;
    }
}
