// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TetherMock} from "../../contracts/mocks/TetherMock.sol";
import {Base} from "./Base.sol";

/// @notice The mock behaves as USDT on Ethereum does.
contract TetherMockTest is Base {
    address private constant ANN = address(0xA);
    address private constant BOB = address(0xB);

    function setUp() public override {
        super.setUp();
        token.transfer(ANN, 1_000_000);
    }

    function test_transfersAnswerNothing() external {
        vm.prank(ANN);
        (bool taken, bytes memory answer) = address(token).call(abi.encodeCall(token.transfer, (BOB, 1)));
        vm.assertTrue(taken);
        vm.assertEq(answer.length, 0);
    }

    function test_transferMovesAndTells() external {
        vm.expectEmit(address(token));
        emit TetherMock.Transfer(ANN, BOB, 400_000);
        vm.prank(ANN);
        token.transfer(BOB, 400_000);
        vm.assertEq(token.balanceOf(ANN), 600_000);
        vm.assertEq(token.balanceOf(BOB), 400_000);
        vm.assertEq(token.totalSupply(), 1e30);
    }

    function test_nobodySendsMoreThanTheyHave() external {
        vm.expectRevert();
        vm.prank(ANN);
        token.transfer(BOB, 1_000_001);
    }

    function test_feeSwitch() external {
        token.setParams(10, 49);
        uint256 before = token.balanceOf(address(this));
        vm.prank(ANN);
        token.transfer(BOB, 1_000_000);
        vm.assertEq(token.balanceOf(BOB), 999_000);
        vm.assertEq(token.balanceOf(address(this)) - before, 1_000);
    }

    function test_feeHasAMaximum() external {
        token.setParams(19, 1);
        token.transfer(ANN, 1_000_000e6);
        uint256 before = token.balanceOf(BOB);
        vm.prank(ANN);
        token.transfer(BOB, 1_000_000e6);
        vm.assertEq(token.balanceOf(BOB) - before, 1_000_000e6 - 1e6);
    }

    function test_feeParametersAreBounded() external {
        vm.expectRevert();
        token.setParams(20, 1);
        vm.expectRevert();
        token.setParams(1, 50);
    }

    function test_approvalGoesThroughZero() external {
        token.approve(BOB, 5);
        vm.expectRevert();
        token.approve(BOB, 6);
        token.approve(BOB, 0);
        token.approve(BOB, 6);
        vm.assertEq(token.allowance(address(this), BOB), 6);
    }

    function test_transferFromSpendsTheAllowance() external {
        vm.prank(ANN);
        token.approve(BOB, 10);
        vm.prank(BOB);
        token.transferFrom(ANN, BOB, 4);
        vm.assertEq(token.allowance(ANN, BOB), 6);
        vm.expectRevert();
        vm.prank(BOB);
        token.transferFrom(ANN, BOB, 7);
    }

    function test_highestAllowanceIsNotSpent() external {
        vm.prank(ANN);
        token.approve(BOB, type(uint256).max);
        vm.prank(BOB);
        token.transferFrom(ANN, BOB, 4);
        vm.assertEq(token.allowance(ANN, BOB), type(uint256).max);
    }

    function test_blacklistStopsSendersOnly() external {
        token.addBlackList(ANN);
        token.transfer(ANN, 1);
        vm.expectRevert();
        vm.prank(ANN);
        token.transfer(BOB, 1);
        token.removeBlackList(ANN);
        vm.prank(ANN);
        token.transfer(BOB, 1);
    }

    function test_blacklistStopsTransferFromTheOwner() external {
        vm.prank(ANN);
        token.approve(BOB, 5);
        token.addBlackList(ANN);
        vm.expectRevert();
        vm.prank(BOB);
        token.transferFrom(ANN, BOB, 5);
    }

    function test_blackFundsAreDestroyed() external {
        vm.expectRevert();
        token.destroyBlackFunds(ANN);
        token.addBlackList(ANN);
        vm.expectEmit(address(token));
        emit TetherMock.DestroyedBlackFunds(ANN, 1_000_000);
        token.destroyBlackFunds(ANN);
        vm.assertEq(token.balanceOf(ANN), 0);
        vm.assertEq(token.totalSupply(), 1e30 - 1_000_000);
    }

    function test_pauseStopsEverybody() external {
        token.pause();
        vm.expectRevert();
        token.transfer(BOB, 1);
        vm.expectRevert();
        token.pause();
        token.unpause();
        token.transfer(BOB, 1);
        vm.expectRevert();
        token.unpause();
    }

    /// In an order in which each works for the owner.
    function test_onlyTheOwnerHasTheSwitches() external {
        bytes[7] memory calls = [
            abi.encodeCall(token.issue, (1)),
            abi.encodeCall(token.setParams, (1, 1)),
            abi.encodeCall(token.addBlackList, (BOB)),
            abi.encodeCall(token.destroyBlackFunds, (BOB)),
            abi.encodeCall(token.removeBlackList, (BOB)),
            abi.encodeCall(token.pause, ()),
            abi.encodeCall(token.unpause, ())
        ];
        for (uint256 i; i < calls.length; ++i) {
            vm.prank(ANN);
            (bool taken,) = address(token).call(calls[i]);
            vm.assertFalse(taken);
            (taken,) = address(token).call(calls[i]);
            vm.assertTrue(taken, vm.toString(i));
        }
    }

    function test_issueAddsToTheOwner() external {
        uint256 before = token.balanceOf(address(this));
        token.issue(7);
        vm.assertEq(token.balanceOf(address(this)) - before, 7);
        vm.assertEq(token.totalSupply(), 1e30 + 7);
    }
}
