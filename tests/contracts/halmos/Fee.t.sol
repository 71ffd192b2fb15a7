// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order} from "../../../contracts/interfaces/IEscrow.sol";
import {Terms} from "../../../contracts/libraries/Terms.sol";
import {Vm} from "../Base.sol";

/// @notice Proven: terms are usable only if their fee is at most a twentieth of the amount and their four roles are
/// four addresses, for all terms; and for all amounts, fees and shares of at most 8 bits, the fee taken is at most a
/// twentieth of the share, and less than a unit below the exact one.
/// Assumed: that the escrow computes the fee so; Escrow.t.sol proves it of one amount and fee. Products of unknowns
/// beyond 8 bits are too hard for the prover: `testFuzz_payoutsAddUpToTheBalance` (Settle.t.sol) tries them, and the
/// argument does not depend on the width: from 20 f <= a follows f t / a <= t / 20, and the rest of a division is
/// smaller than its divisor.
contract FeeProof {
    using Terms for Order;

    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function check_usableTermsKeepTheCap(Order memory order) external pure {
        if (!order.valid()) return;
        assert(order.amount != 0);
        assert(uint256(order.fee) <= uint256(order.amount) / 20);
        assert(order.defaultBuyerBps <= 10_000);
        assert(order.token != address(0));
        assert(order.fee == 0 || order.feeRecipient != address(0));
    }

    function check_usableTermsHaveFourParties(Order memory order) external pure {
        if (!order.valid()) return;
        assert(order.seller != address(0) && order.buyer != address(0));
        assert(order.coordinator != address(0) && order.arbitrator != address(0));
        assert(order.seller != order.buyer && order.seller != order.coordinator);
        assert(order.seller != order.arbitrator && order.buyer != order.coordinator);
        assert(order.buyer != order.arbitrator && order.coordinator != order.arbitrator);
    }

    /// As `Escrow.payOut` computes it.
    function check_feeKeepsTheCapAndIsRoundedByLessThanAUnit(uint8 amount, uint8 fee, uint8 toBuyer) external pure {
        vm.assume(amount != 0 && fee <= amount / 20 && toBuyer <= amount);
        uint256 taken = uint256(fee) * toBuyer / amount;
        assert(taken <= uint256(toBuyer) / 20);
        assert(taken * amount <= uint256(fee) * toBuyer);
        assert((taken + 1) * amount > uint256(fee) * toBuyer);
    }
}
