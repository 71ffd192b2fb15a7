// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order} from "../../contracts/interfaces/IEscrow.sol";
import {ContractSigner} from "../../contracts/mocks/ContractSigner.sol";
import {RefusingToken} from "../../contracts/mocks/RefusingToken.sol";
import {OddToken} from "./adversarial/OddToken.sol";
import {TwoFaced} from "./adversarial/TwoFaced.sol";
import {Base} from "./Base.sol";

/// @notice `sweep`: what is not the order's goes to the seller, whoever sends it.
contract SweepTest is Base {
    function sweep(Order memory order, address what, uint256 amount) private {
        vm.expectEmit(address(escrow));
        emit IEscrow.Swept(orderIdOf(order), what, order.seller, amount);
        vm.prank(NOBODY);
        escrow.sweep(order, what);
    }

    function nothing(Order memory order, address what) private {
        vm.expectRevert(abi.encodeWithSelector(IEscrow.NothingToSweep.selector, orderIdOf(order), what));
        escrow.sweep(order, what);
    }

    function test_lateTokensGoToTheSeller() external {
        Order memory order = settledOrder();
        nothing(order, address(token));
        token.transfer(vaultOf(order), 5);
        sweep(order, address(token), 5);
        vm.assertEq(token.balanceOf(seller), AMOUNT + 5);
        nothing(order, address(token));
    }

    function test_foreignTokensGoToTheSeller() external {
        RefusingToken foreign = new RefusingToken();
        Order memory order = fundedOrder();
        foreign.mint(vaultOf(order), 8);
        settle(order, AMOUNT, SELLER | COORDINATOR);
        sweep(order, address(foreign), 8);
        vm.assertEq(foreign.balanceOf(seller), 8);
    }

    function test_nativeCoinGoesToTheSeller() external {
        Order memory order = settledOrder();
        nothing(order, address(0));
        vm.deal(vaultOf(order), 1 ether);
        sweep(order, address(0), 1 ether);
        vm.assertEq(seller.balance, 1 ether);
    }

    function test_notBeforeTheSettlement() external {
        Order memory order = fundedOrder();
        vm.expectRevert(abi.encodeWithSelector(IEscrow.NotSettled.selector, orderIdOf(order), vaultOf(order)));
        escrow.sweep(order, address(token));
    }

    function test_claimsAreLeftAlone() external {
        RefusingToken refusing = new RefusingToken();
        refusing.setManner(buyer, RefusingToken.Manner.Revert);
        Order memory order = makeOrder();
        order.token = address(refusing);
        refusing.mint(vaultOf(order), AMOUNT);
        settle(order, 400e6, SELLER | BUYER);
        nothing(order, address(refusing));

        refusing.mint(vaultOf(order), 2);
        sweep(order, address(refusing), 2);
        vm.assertEq(refusing.balanceOf(vaultOf(order)), 396e6);
        refusing.setManner(buyer, RefusingToken.Manner.Accept);
        vm.prank(buyer);
        escrow.claim(order, buyer, 0, "");
        vm.assertEq(refusing.balanceOf(buyer), 396e6);
    }

    /// By its other address a token is a foreign one, but what a claim stands on stays.
    function test_theTokensOtherAddressIsSweptOnceNothingIsOwed() external {
        TwoFaced twoFaced = new TwoFaced();
        Order memory order = makeOrder();
        order.token = address(twoFaced);
        address otherFace = twoFaced.other();
        twoFaced.mint(vaultOf(order), AMOUNT);
        twoFaced.refuse(buyer, true);
        settle(order, 400e6, SELLER | BUYER);
        twoFaced.mint(vaultOf(order), 2);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.Short.selector, vaultOf(order), 0, 396e6));
        escrow.sweep(order, otherFace);
        twoFaced.refuse(buyer, false);
        vm.prank(buyer);
        escrow.claim(order, buyer, 0, "");
        sweep(order, otherFace, 2);
        vm.assertEq(twoFaced.balanceOf(seller), 600e6 + 2);
    }

    /// A claim that the token itself took from is no reason to keep other tokens.
    function test_foreignTokensGoEvenIfAClaimIsNotCovered() external {
        OddToken odd = new OddToken(6);
        OddToken foreign = new OddToken(6);
        Order memory order = makeOrder();
        order.token = address(odd);
        odd.mint(vaultOf(order), AMOUNT);
        odd.turn(OddToken.Way.FreezesRecipient, buyer);
        settle(order, 400e6, SELLER | BUYER);
        odd.rebase(vaultOf(order), 395e6);
        foreign.mint(vaultOf(order), 8);
        sweep(order, address(foreign), 8);
        vm.assertEq(foreign.balanceOf(seller), 8);
    }

    function test_aRefusedTokenCanBeTriedAgain() external {
        Order memory order = settledOrder();
        token.transfer(vaultOf(order), 5);
        token.pause();
        vm.expectRevert(abi.encodeWithSelector(IEscrow.TransferRefused.selector, address(token), seller, 5));
        escrow.sweep(order, address(token));
        token.unpause();
        sweep(order, address(token), 5);
    }

    function test_refusedNativeCoinCanBeTriedAgain() external {
        Order memory order = makeOrder();
        order.seller = address(new ContractSigner(seller));
        settle(order, 0, BUYER | COORDINATOR);
        vm.deal(vaultOf(order), 3);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.TransferRefused.selector, address(0), order.seller, 3));
        escrow.sweep(order, address(0));
        vm.assertEq(vaultOf(order).balance, 3);
    }
}
