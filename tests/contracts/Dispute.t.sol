// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, Role, State} from "../../contracts/interfaces/IEscrow.sol";
import {Base} from "./Base.sol";

/// @notice `dispute`: either trader's way to a ruling.
contract DisputeTest is Base {
    function disputed(Order memory order, Role by) private {
        vm.expectEmit(address(escrow));
        emit IEscrow.Disputed(orderIdOf(order), by);
    }

    function test_eitherTraderOpens() external {
        for (uint256 i; i < 2; ++i) {
            Order memory order = makeOrder();
            order.salt = uint64(i);
            token.transfer(vaultOf(order), AMOUNT);
            disputed(order, Role(i));
            vm.prank(i == 0 ? seller : buyer);
            escrow.dispute(order, Role(i), "");
            State memory state = escrow.stateOf(orderIdOf(order));
            vm.assertEq(state.disputedAt, START);
            vm.assertEq(state.refundRequestedAt, 0);
        }
    }

    function test_anyoneBringsATradersSignature() external {
        Order memory order = fundedOrder();
        bytes memory signature = sign(Role.Buyer, disputeDigest(order));
        disputed(order, Role.Buyer);
        vm.prank(NOBODY);
        escrow.dispute(order, Role.Buyer, signature);
    }

    function test_aTraderBringsTheOthersSignature() external {
        Order memory order = fundedOrder();
        bytes memory signature = sign(Role.Seller, disputeDigest(order));
        disputed(order, Role.Seller);
        vm.prank(buyer);
        escrow.dispute(order, Role.Seller, signature);
    }

    function test_afterARefundRequestBothAreRemembered() external {
        Order memory order = fundedOrder();
        vm.warp(order.payBy);
        requestRefund(order);
        vm.warp(order.payBy + 9);
        dispute(order);
        State memory state = escrow.stateOf(orderIdOf(order));
        vm.assertEq(state.refundRequestedAt, order.payBy);
        vm.assertEq(state.disputedAt, order.payBy + 9);
    }

    function test_endsTheRefundByTimeEvenAfterItsWindow() external {
        Order memory order = fundedOrder();
        vm.warp(order.payBy);
        requestRefund(order);
        uint256 time = order.payBy + order.refundWindow;
        vm.warp(time);
        dispute(order);
        State memory state = State(order.payBy, uint64(time));
        refuse(
            order,
            0,
            SELLER,
            abi.encodeWithSelector(IEscrow.NotAllowed.selector, orderIdOf(order), SELLER, 0, state, time)
        );
    }

    function test_theWholeWayToARuling() external {
        Order memory order = fundedOrder();
        dispute(order);
        settle(order, 600e6, BUYER | ARBITRATOR);
        vm.assertEq(token.balanceOf(buyer), 594e6);
        vm.assertEq(token.balanceOf(seller), 400e6);
    }

    function test_nobodyRulesAndAnyoneSendsTheDefaultSplit() external {
        Order memory order = fundedOrder();
        dispute(order);
        vm.warp(START + order.rulingWindow + order.finalWindow);
        settle(order, 333_300_000, 0);
        vm.assertEq(token.balanceOf(buyer), 333_300_000 - 3_333_000);
        vm.assertEq(token.balanceOf(seller), 666_700_000);
    }

    function test_judgesDoNotOpen() external {
        Order memory order = fundedOrder();
        for (uint256 i = 2; i < 4; ++i) {
            bytes memory signature = sign(Role(i), disputeDigest(order));
            vm.expectRevert(abi.encodeWithSelector(IEscrow.NotATrader.selector, Role(i)));
            vm.prank(vm.addr(keyOf(Role(i))));
            escrow.dispute(order, Role(i), signature);
        }
    }

    function test_othersDoNotOpenForATrader() external {
        Order memory order = fundedOrder();
        bytes32 digest = disputeDigest(order);
        bytes memory reason = abi.encodeWithSelector(IEscrow.InvalidSignature.selector, Role.Buyer, buyer, digest);
        vm.expectRevert(reason);
        vm.prank(coordinator);
        escrow.dispute(order, Role.Buyer, "");
        vm.expectRevert(reason);
        escrow.dispute(order, Role.Buyer, sign(Role.Seller, digest));
        vm.expectRevert(reason);
        escrow.dispute(order, Role.Buyer, sign(Role.Buyer, refundRequestDigest(order)));
    }

    function test_notTwice() external {
        Order memory order = fundedOrder();
        dispute(order);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.AlreadyDisputed.selector, orderIdOf(order), START));
        vm.prank(seller);
        escrow.dispute(order, Role.Seller, "");
    }

    function test_notOnceSettled() external {
        Order memory order = settledOrder();
        vm.expectRevert(
            abi.encodeWithSelector(IEscrow.AlreadySettled.selector, orderIdOf(order), vaultOf(order))
        );
        vm.prank(buyer);
        escrow.dispute(order, Role.Buyer, "");
    }

    function test_notWhileTheVaultIsShort() external {
        Order memory order = makeOrder();
        token.transfer(vaultOf(order), AMOUNT - 1);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.Short.selector, vaultOf(order), AMOUNT - 1, AMOUNT));
        vm.prank(buyer);
        escrow.dispute(order, Role.Buyer, "");
    }

    function test_notOnUnusableTerms() external {
        Order memory order = makeOrder();
        order.fee = AMOUNT;
        token.transfer(vaultOf(order), AMOUNT);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.InvalidTerms.selector, orderIdOf(order)));
        vm.prank(buyer);
        escrow.dispute(order, Role.Buyer, "");
    }
}
