// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order} from "../../contracts/interfaces/IEscrow.sol";
import {Base} from "../contracts/Base.sol";

/// A token with a second address over the same balances, as TUSD and SNX had.
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

/// @notice Found by review: sweeping a token by its other address took what a claim stood on.
contract DoubleEntryTokenTest is Base {
    function test_sweepLeavesWhatAClaimStandsOn() external {
        TwoFaced twoFaced = new TwoFaced();
        Order memory order = makeOrder();
        order.token = address(twoFaced);
        address vault = vaultOf(order);
        twoFaced.mint(vault, AMOUNT);
        twoFaced.refuse(buyer, true);
        settle(order, AMOUNT, SELLER | COORDINATOR);

        address otherFace = twoFaced.other();
        vm.expectRevert(abi.encodeWithSelector(IEscrow.Short.selector, vault, 0, AMOUNT - FEE));
        escrow.sweep(order, otherFace);

        twoFaced.refuse(buyer, false);
        vm.prank(buyer);
        escrow.claim(order, buyer, 0, "");
        vm.assertEq(twoFaced.balanceOf(buyer), AMOUNT - FEE);
    }
}
