// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Order} from "../../../contracts/interfaces/IEscrow.sol";
import {Terms} from "../../../contracts/libraries/Terms.sol";

/// @notice Proven: terms are usable only if their fee is at most a twentieth of the amount and their four roles are
/// four addresses, for all terms. What fee is taken, `check_feeKeepsTheCapAndIsRoundedByLessThanAUnit` (Escrow.t.sol)
/// proves of the escrow's own code for amounts, fees and shares of at most 8 bits: products of longer unknowns are too
/// hard for the prover. `testFuzz_payoutsAddUpToTheBalance` (Settle.t.sol) tries them, and the argument does not
/// depend on the width: from 20 f <= a follows f t / a <= t / 20, and the rest of a division is smaller than its
/// divisor.
/// Assumed: nothing.
contract FeeProof {
    using Terms for Order;

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
}
