// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, Role} from "../../contracts/interfaces/IEscrow.sol";
import {Base} from "../contracts/Base.sol";

/// @notice Found: an order whose token has no code could not be settled, though `allows` said yes, so that what was
/// sent to its vault by mistake stayed there. Such a token holds nothing, the order ends, and a sweep gives it back.
contract TokenWithoutCodeTest is Base {
    /// The address of another chain, for instance. The vault gets real tokens by mistake.
    function mistaken(address nothing) private returns (Order memory order) {
        order = makeOrder();
        order.token = nothing;
        token.transfer(vaultOf(order), AMOUNT);
    }

    function sweptBack(Order memory order) private {
        uint256 before = token.balanceOf(order.seller);
        escrow.sweep(order, address(token));
        vm.assertEq(token.balanceOf(order.seller) - before, AMOUNT);
    }

    function test_theSellerEndsItAlone() external {
        Order memory order = mistaken(address(0xdead));
        vm.warp(order.payBy);
        requestRefund(order);
        vm.warp(order.payBy + order.refundWindow);
        vm.assertTrue(escrow.allows(order, 0, SELLER));
        settle(order, 0, SELLER);
        sweptBack(order);
    }

    function test_anyoneEndsItWhereTheTermsAreUnusable() external {
        Order memory order = mistaken(address(0));
        vm.assertTrue(escrow.allows(order, 0, 0));
        settle(order, 0, 0);
        sweptBack(order);
    }

    function test_nothingIsReleasedOrDisputed() external {
        Order memory order = mistaken(address(0xdead));
        bytes memory short = abi.encodeWithSelector(IEscrow.Short.selector, vaultOf(order), 0, AMOUNT);
        refuse(order, AMOUNT, SELLER | COORDINATOR, short);
        vm.prank(order.buyer);
        vm.expectRevert(short);
        escrow.dispute(order, Role.Buyer, "");
    }
}
