// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, Role, Settlement, State} from "../../contracts/interfaces/IEscrow.sol";
import {BurningWallet, MeteringWallet} from "./adversarial/Wallets.sol";
import {Base} from "./Base.sol";

/// A token whose balance is a reason of a thousand bytes.
contract LongReasonToken {
    function balanceOf(address) external pure returns (uint256) {
        assembly ("memory-safe") {
            revert(mload(0x40), 1000)
        }
    }
}

/// @notice `settleBatch`: items go through or fail each for itself.
contract SettleBatchTest is Base {
    uint256 private constant RELEASE = SELLER | COORDINATOR;
    uint256 private constant GAS = 6_000_000;

    function items(uint256 count) private returns (Settlement[] memory made) {
        made = new Settlement[](count);
        for (uint256 i; i < count; ++i) {
            made[i].order = makeOrder();
            made[i].order.salt = uint64(i);
            made[i].toBuyer = AMOUNT;
            made[i].validUntil = FOREVER;
            made[i].signatures = signatures(made[i].order, AMOUNT, FOREVER, RELEASE);
            token.transfer(vaultOf(made[i].order), AMOUNT);
        }
    }

    function test_allGoThrough() external {
        Settlement[] memory batch = items(3);
        vm.recordLogs();
        bool[] memory settled = escrow.settleBatch(batch);
        (uint256 failures,) = emitted(IEscrow.SettlementFailed.selector);
        vm.assertEq(failures, 0);
        for (uint256 i; i < 3; ++i) {
            vm.assertTrue(settled[i]);
            vm.assertEq(vaultOf(batch[i].order).code.length, 39);
        }
        vm.assertEq(token.balanceOf(buyer), 3 * (AMOUNT - FEE));
    }

    function test_emptyBatchIsNothing() external {
        vm.assertEq(escrow.settleBatch(new Settlement[](0)).length, 0);
    }

    function test_failingItemIsReportedAndTheRestGoThrough() external {
        Settlement[] memory batch = items(3);
        batch[1].signatures = "";
        bytes32 orderId = orderIdOf(batch[1].order);
        vm.expectEmit(address(escrow));
        emit IEscrow.SettlementFailed(
            1,
            orderId,
            abi.encodeWithSelector(IEscrow.NotAllowed.selector, orderId, 0, AMOUNT, State(0, 0), START)
        );
        bool[] memory settled = escrow.settleBatch(batch);
        vm.assertTrue(settled[0]);
        vm.assertFalse(settled[1]);
        vm.assertTrue(settled[2]);
        vm.assertEq(token.balanceOf(vaultOf(batch[1].order)), AMOUNT);
        vm.assertEq(token.balanceOf(buyer), 2 * (AMOUNT - FEE));
    }

    function test_aReasonIsCut() external {
        Settlement[] memory batch = items(1);
        batch[0].order.token = address(new LongReasonToken());
        batch[0].signatures = "";
        vm.recordLogs();
        escrow.settleBatch(batch);
        (uint256 failures, bytes memory data) = emitted(IEscrow.SettlementFailed.selector);
        vm.assertEq(failures, 1);
        vm.assertEq(abi.decode(data, (bytes)).length, 324);
    }

    function test_sameOrderTwiceSettlesOnce() external {
        Settlement[] memory batch = items(2);
        batch[1] = batch[0];
        bool[] memory settled = escrow.settleBatch(batch);
        vm.assertTrue(settled[0]);
        vm.assertFalse(settled[1]);
        vm.assertEq(token.balanceOf(buyer), AMOUNT - FEE);
    }

    function test_senderCountsAsSignerOfEveryItem() external {
        Settlement[] memory batch = items(2);
        for (uint256 i; i < 2; ++i) {
            batch[i].signatures = signatures(batch[i].order, AMOUNT, FOREVER, SELLER);
        }
        vm.prank(coordinator);
        bool[] memory settled = escrow.settleBatch(batch);
        vm.assertTrue(settled[0] && settled[1]);
    }

    /// Of two items the first may burn a third of the gas; then a third is the second's, and one is left for the end.
    function test_eachItemHasAnEvenShareOfTheGas() external {
        Settlement[] memory batch = items(2);
        batch[0].order.seller = address(new BurningWallet());
        batch[0].signatures = one(Role.Seller, "");
        batch[1].order.seller = address(new MeteringWallet(GAS * 28 / 100, GAS * 34 / 100));
        token.transfer(vaultOf(batch[1].order), AMOUNT);
        batch[1].signatures = one(Role.Seller, "");
        vm.prank(coordinator);
        bool[] memory settled = escrow.settleBatch{gas: GAS}(batch);
        vm.assertFalse(settled[0]);
        vm.assertTrue(settled[1]);
    }

    /// An encoder may put the signatures anywhere behind the terms; here one list serves as both items'.
    function test_signaturesMayLieApart() external {
        Settlement memory item = items(1)[0];
        uint256 headWords = 17;
        bytes memory head = abi.encode(item.order, item.toBuyer, item.validUntil, 2 * headWords * 32);
        bytes memory sameAgain = abi.encode(item.order, item.toBuyer, item.validUntil, headWords * 32);
        bytes memory list = abi.encodePacked(item.signatures.length, item.signatures);
        bytes memory offsets = abi.encode(0x20, 2, 0x40, 0x40 + headWords * 32);
        (bool done, bytes memory answer) = address(escrow)
            .call(bytes.concat(escrow.settleBatch.selector, offsets, head, sameAgain, list));
        vm.assertTrue(done);
        bool[] memory settled = abi.decode(answer, (bool[]));
        vm.assertTrue(settled[0]);
        vm.assertFalse(settled[1]);
    }
}
