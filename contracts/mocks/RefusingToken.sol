// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A token that refuses chosen recipients, by a revert or by answering false; for tests.
contract RefusingToken {
    enum Manner {
        Accept,
        Revert,
        AnswerFalse
    }

    mapping(address => uint256) public balanceOf;
    mapping(address => Manner) public mannerTo;

    error Refused(address to);

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function setManner(address to, Manner manner) external {
        mannerTo[to] = manner;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        require(mannerTo[to] != Manner.Revert, Refused(to));
        if (mannerTo[to] == Manner.AnswerFalse) return false;
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
        return true;
    }
}
