// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, Role} from "../../contracts/interfaces/IEscrow.sol";
import {Permit2StandIn} from "../../contracts/mocks/Permit2StandIn.sol";
import {Permits} from "./Permits.sol";

/// @notice `fundWithPermit2`: the seller's permit, with the order as its witness.
contract FundWithPermit2Test is Permits {
    uint256 private constant NONCE = 77;
    uint256 private constant DEADLINE = START + 60;

    function setUp() public override {
        super.setUp();
        installPermit2();
        token.transfer(seller, AMOUNT);
        vm.prank(seller);
        token.approve(PERMIT2, type(uint256).max);
    }

    function permit(Role by, Order memory order, address spender) private view returns (bytes memory) {
        return permit(by, order, spender, NONCE, DEADLINE);
    }

    function test_permitFillsTheVault() external {
        Order memory order = makeOrder();
        bytes memory signature = permit(Role.Seller, order, address(escrow));
        vm.prank(NOBODY);
        escrow.fundWithPermit2(order, NONCE, DEADLINE, signature);
        vm.assertEq(token.balanceOf(vaultOf(order)), AMOUNT);
        settle(order, AMOUNT, SELLER | COORDINATOR);
    }

    function test_permitForAnotherOrderIsRefused() external {
        Order memory order = makeOrder();
        bytes memory signature = permit(Role.Seller, order, address(escrow));
        order.buyer = NOBODY;
        vm.expectRevert(abi.encodeWithSelector(Permit2StandIn.InvalidSigner.selector));
        escrow.fundWithPermit2(order, NONCE, DEADLINE, signature);
    }

    function test_permitOfAnotherSignerOrForAnotherSpenderIsRefused() external {
        Order memory order = makeOrder();
        vm.expectRevert(abi.encodeWithSelector(Permit2StandIn.InvalidSigner.selector));
        escrow.fundWithPermit2(order, NONCE, DEADLINE, permit(Role.Buyer, order, address(escrow)));
        vm.expectRevert(abi.encodeWithSelector(Permit2StandIn.InvalidSigner.selector));
        escrow.fundWithPermit2(order, NONCE, DEADLINE, permit(Role.Seller, order, NOBODY));
    }

    function test_permitFillsOnceAndInTime() external {
        Order memory order = makeOrder();
        bytes memory signature = permit(Role.Seller, order, address(escrow));
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(Permit2StandIn.SignatureExpired.selector, DEADLINE));
        escrow.fundWithPermit2(order, NONCE, DEADLINE, signature);
        vm.warp(DEADLINE);
        escrow.fundWithPermit2(order, NONCE, DEADLINE, signature);
        vm.expectRevert(abi.encodeWithSelector(Permit2StandIn.InvalidNonce.selector));
        escrow.fundWithPermit2(order, NONCE, DEADLINE, signature);
    }

    function test_settledOrderIsNotFilled() external {
        Order memory order = settledOrder();
        bytes memory signature = permit(Role.Seller, order, address(escrow));
        vm.expectRevert(
            abi.encodeWithSelector(IEscrow.AlreadySettled.selector, orderIdOf(order), vaultOf(order))
        );
        escrow.fundWithPermit2(order, NONCE, DEADLINE, signature);
    }
}
