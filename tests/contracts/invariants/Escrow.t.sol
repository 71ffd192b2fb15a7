// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Vm} from "../Base.sol";
import {Handler} from "./Handler.sol";

/// @notice What holds after any sequence of actions. `forge test` runs a short campaign, `make prove` 1,024 sequences
/// of 64. The handler itself checks on every action that it had the answer it should have, that no other order was
/// touched, that coordinator and arbitrator alone move nothing, that nothing settles twice, and that either trader
/// alone can end the orders it touched.
contract EscrowInvariants {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    Handler private handler;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function setUp() external {
        handler = new Handler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[15] memory actions = [
            handler.deposit.selector,
            handler.pass.selector,
            handler.pass.selector,
            handler.requestRefund.selector,
            handler.dispute.selector,
            handler.settle.selector,
            handler.settleBatch.selector,
            handler.claim.selector,
            handler.sweep.selector,
            handler.turn.selector,
            handler.platform.selector,
            handler.replay.selector,
            handler.seize.selector,
            handler.fundWithPermit2.selector,
            handler.stray.selector
        ];
        bytes4[] memory selectors = new bytes4[](16);
        for (uint256 i; i < 15; ++i) {
            selectors[i] = actions[i];
        }
        selectors[15] = handler.sweepStrays.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    /// What went in is what came out and what is there, to the unit; claims add up and are covered; paid once.
    function invariant_theBooksAgree() external view {
        vm.assertTrue(handler.balancesAreAsBooked(), "an account has what it was not paid");
        for (uint256 i; i < handler.ORDERS(); ++i) {
            vm.assertEq(handler.balanceOf(i), handler.arrived(i) - handler.left(i), "a vault leaks");
            vm.assertEq(handler.strayed(i), handler.strays(i), "a vault leaks what strayed into it");
            vm.assertEq(handler.vault(i).balance, handler.coins(i), "a vault leaks coins");
            claimsAgree(i);
            vm.assertTrue(handler.settlements(i) < 2, "settled twice");
            vm.assertEq(handler.vault(i).code.length, handler.settlements(i) * 39, "no tombstone");
        }
    }

    function claimsAgree(uint256 i) private view {
        address[7] memory owners = handler.owners();
        for (uint256 k; k < owners.length; ++k) {
            vm.assertEq(handler.claimOf(i, owners[k]), handler.owed(i, owners[k]), "a claim is not what is owed");
        }
        vm.assertEq(handler.claimsOf(i), handler.owedOf(i), "claims do not add up");
        vm.assertTrue(handler.balanceOf(i) >= handler.claimsOf(i), "claims are not covered");
    }

    /// Wherever the sequence ended, every order can be ended by either trader alone.
    function afterInvariant() external {
        for (uint256 i; i < handler.ORDERS(); ++i) {
            handler.endsAlone(i);
        }
    }
}
