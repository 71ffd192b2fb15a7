// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A token with a second address over the same balances, as TUSD and SNX had.
contract TwoFaced {
    mapping(address => uint256) public balanceOf;
    mapping(address => bool) public refused;
    address private immutable OTHER = address(new OtherFace(this));

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function refuse(address to, bool yes) external {
        refused[to] = yes;
    }

    function other() external view returns (address) {
        return OTHER;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        move(msg.sender, to, amount);
        return true;
    }

    function transferAs(address from, address to, uint256 amount) external {
        require(msg.sender == OTHER);
        move(from, to, amount);
    }

    function move(address from, address to, uint256 amount) private {
        require(!refused[to]);
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice The second address.
contract OtherFace {
    TwoFaced private immutable TOKEN;

    constructor(TwoFaced token) {
        TOKEN = token;
    }

    function balanceOf(address account) external view returns (uint256) {
        return TOKEN.balanceOf(account);
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        TOKEN.transferAs(msg.sender, to, amount);
        return true;
    }
}
