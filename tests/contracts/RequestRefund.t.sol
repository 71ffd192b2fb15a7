// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, Role, State} from "../../contracts/interfaces/IEscrow.sol";
import {Base} from "./Base.sol";

/// @notice `requestRefund`: the seller's way home when the buyer is silent.
contract RequestRefundTest is Base {
    function requested(Order memory order) private {
        vm.expectEmit(address(escrow));
        emit IEscrow.RefundRequested(orderIdOf(order));
    }

    function test_sellerRequests() external {
        Order memory order = fundedOrder();
        vm.warp(order.payBy);
        requested(order);
        vm.prank(seller);
        escrow.requestRefund(order, "");
        State memory state = escrow.stateOf(orderIdOf(order));
        vm.assertEq(state.refundRequestedAt, order.payBy);
        vm.assertEq(state.disputedAt, 0);
    }

    function test_anyoneBringsTheSellersSignature() external {
        Order memory order = fundedOrder();
        vm.warp(order.payBy);
        requested(order);
        vm.prank(NOBODY);
        escrow.requestRefund(order, sign(Role.Seller, refundRequestDigest(order)));
    }

    function test_othersMayNot() external {
        Order memory order = fundedOrder();
        vm.warp(order.payBy);
        bytes32 digest = refundRequestDigest(order);
        bytes memory reason =
            abi.encodeWithSelector(IEscrow.InvalidSignature.selector, Role.Seller, seller, digest);
        address[4] memory others = [buyer, coordinator, arbitrator, NOBODY];
        for (uint256 i; i < 4; ++i) {
            vm.expectRevert(reason);
            vm.prank(others[i]);
            escrow.requestRefund(order, "");
        }
        vm.expectRevert(reason);
        escrow.requestRefund(order, sign(Role.Buyer, digest));
        vm.expectRevert(reason);
        escrow.requestRefund(order, sign(Role.Seller, disputeDigest(order)));
    }

    function test_notBeforePayBy() external {
        Order memory order = fundedOrder();
        vm.warp(order.payBy - 1);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.TooEarly.selector, order.payBy, order.payBy - 1));
        vm.prank(seller);
        escrow.requestRefund(order, "");
    }

    function test_notTwice() external {
        Order memory order = fundedOrder();
        vm.warp(order.payBy);
        requestRefund(order);
        vm.warp(order.payBy + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IEscrow.AlreadyRequested.selector, orderIdOf(order), order.payBy)
        );
        vm.prank(seller);
        escrow.requestRefund(order, "");
    }

    function test_notInADispute() external {
        Order memory order = fundedOrder();
        dispute(order);
        vm.warp(order.payBy);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.AlreadyDisputed.selector, orderIdOf(order), START));
        vm.prank(seller);
        escrow.requestRefund(order, "");
    }

    function test_notOnceSettled() external {
        Order memory order = settledOrder();
        vm.warp(order.payBy);
        vm.expectRevert(
            abi.encodeWithSelector(IEscrow.AlreadySettled.selector, orderIdOf(order), vaultOf(order))
        );
        vm.prank(seller);
        escrow.requestRefund(order, "");
    }

    function test_theSellerRefundsAloneAfterTheWindow() external {
        Order memory order = fundedOrder();
        vm.warp(order.payBy);
        requestRefund(order);
        uint256 due = order.payBy + order.refundWindow;
        vm.warp(due - 1);
        refuse(
            order,
            0,
            SELLER,
            abi.encodeWithSelector(
                IEscrow.NotAllowed.selector, orderIdOf(order), SELLER, 0, State(order.payBy, 0), due - 1
            )
        );
        vm.warp(due);
        settle(order, 0, SELLER);
        vm.assertEq(token.balanceOf(seller), AMOUNT);
    }
}
