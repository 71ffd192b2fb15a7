// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, State} from "../../contracts/interfaces/IEscrow.sol";
import {TetherMock} from "../../contracts/mocks/TetherMock.sol";
import {Base} from "../contracts/Base.sol";

/// A token that takes some of a holder's balance.
contract Shrinking {
    mapping(address => uint256) public balanceOf;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function shrink(address account, uint256 amount) external {
        balanceOf[account] -= amount;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
        return true;
    }
}

/// @notice Found by review: a vault that fell short after the dispute had no exit by time.
contract ShortAfterDisputeTest is Base {
    function finalDue(Order memory order) private view returns (uint256) {
        return block.timestamp + order.rulingWindow + order.finalWindow;
    }

    function test_theDefaultShareOfWhatIsLeft() external {
        Shrinking shrinking = new Shrinking();
        Order memory order = makeOrder();
        order.token = address(shrinking);
        address vault = vaultOf(order);
        shrinking.mint(vault, AMOUNT);
        dispute(order);
        uint256 due = finalDue(order);
        shrinking.shrink(vault, AMOUNT / 4);
        uint256 left = AMOUNT - AMOUNT / 4;
        uint256 share = left * order.defaultBuyerBps / 10_000;

        vm.warp(due - 1);
        State memory state = State(0, uint64(START));
        refuse(
            order,
            share,
            0,
            abi.encodeWithSelector(IEscrow.NotAllowed.selector, orderIdOf(order), 0, share, state, due - 1)
        );
        vm.warp(due);
        settle(order, share, 0);
        uint256 fee = uint256(FEE) * share / AMOUNT;
        vm.assertEq(shrinking.balanceOf(buyer), share - fee);
        vm.assertEq(shrinking.balanceOf(seller), left - share);
        vm.assertEq(shrinking.balanceOf(vault), 0);
    }

    function test_anEmptiedVaultEndsToo() external {
        Order memory order = fundedOrder();
        dispute(order);
        uint256 due = finalDue(order);
        TetherMock(order.token).addBlackList(vaultOf(order));
        TetherMock(order.token).destroyBlackFunds(vaultOf(order));
        vm.warp(due);
        settle(order, 0, 0);
        vm.assertTrue(vaultOf(order).code.length != 0);
    }
}
