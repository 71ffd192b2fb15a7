// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Escrow} from "../../contracts/Escrow.sol";
import {IEscrow, Order, Role, Settlement} from "../../contracts/interfaces/IEscrow.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {RefusingToken} from "../../contracts/mocks/RefusingToken.sol";
import {Base} from "./Base.sol";

/// @notice The vault obeys the escrow alone, and is no escrow itself.
contract VaultTest is Base {
    uint256 private constant MIN_TRANSFER_GAS = 200_000;

    function onlyEscrow(address sender) private {
        vm.expectRevert(abi.encodeWithSelector(IVault.OnlyEscrow.selector, sender));
        vm.prank(sender);
    }

    function test_onlyTheEscrowCommandsAVault() external {
        IVault vault = IVault(vaultOf(settledOrder()));
        address[5] memory others = [seller, buyer, coordinator, arbitrator, NOBODY];
        for (uint256 i; i < 5; ++i) {
            onlyEscrow(others[i]);
            vault.deliver(address(token), others[i], 1, TREASURY, 1, seller, 1);
            onlyEscrow(others[i]);
            vault.send(address(token), others[i], 1);
        }
    }

    function test_theEscrowItselfIsNoVault() external {
        token.transfer(address(escrow), 9);
        address[2] memory senders = [NOBODY, address(escrow)];
        for (uint256 i; i < 2; ++i) {
            onlyEscrow(senders[i]);
            escrow.deliver(address(token), NOBODY, 1, TREASURY, 1, NOBODY, 1);
            onlyEscrow(senders[i]);
            escrow.send(address(token), NOBODY, 1);
        }
    }

    function test_aVaultIsNoEscrow() external {
        Order memory order = settledOrder();
        Escrow vault = Escrow(vaultOf(order));
        onlyEscrow(seller);
        vault.settle(order, 0, FOREVER, "");
        onlyEscrow(seller);
        vault.settleBatch(new Settlement[](0));
        onlyEscrow(seller);
        vault.requestRefund(order, "");
        onlyEscrow(seller);
        vault.dispute(order, Role.Seller, "");
        onlyEscrow(seller);
        vault.claim(order, seller, 0, "");
        onlyEscrow(seller);
        vault.sweep(order, address(token));
        onlyEscrow(seller);
        vault.fundWithPermit2(order, 0, 0, "");
        onlyEscrow(seller);
        vault.publish(order);
    }

    /// The order's own vault, with what one order left in it, for direct calls by the escrow.
    function refusingVault() private returns (RefusingToken refusing, IVault vault) {
        refusing = new RefusingToken();
        vault = IVault(vaultOf(settledOrder()));
        refusing.mint(address(vault), 10);
        refusing.setManner(buyer, RefusingToken.Manner.Revert);
    }

    function test_aRefusalNeedsEnoughGas() external {
        (RefusingToken refusing, IVault vault) = refusingVault();
        vm.prank(address(escrow));
        (bool answered, bytes memory reason) = address(vault).call{gas: 150_000}(
            abi.encodeCall(vault.deliver, (address(refusing), buyer, 3, TREASURY, 3, seller, 4))
        );
        vm.assertFalse(answered);
        vm.assertEq(bytes32(bytes4(reason)), bytes32(IVault.InsufficientGas.selector));

        vm.prank(address(escrow));
        vm.assertEq(vault.deliver{gas: 400_000}(address(refusing), buyer, 3, TREASURY, 3, seller, 4), 1);
    }

    function test_insufficientGasNamesWhatItHadAndNeeds() external {
        (RefusingToken refusing, IVault vault) = refusingVault();
        vm.prank(address(escrow));
        try vault.send{gas: 100_000}(address(refusing), buyer, 1) {
            vm.assertTrue(false);
        } catch (bytes memory reason) {
            vm.assertEq(reason.length, abi.encodeCall(vault.send, (address(refusing), buyer, 1)).length);
            (uint256 available, uint256 needed) = abi.decode(slice(reason), (uint256, uint256));
            vm.assertTrue(available < 100_000 && available > 90_000);
            vm.assertEq(needed, MIN_TRANSFER_GAS);
        }
    }

    function slice(bytes memory reason) private pure returns (bytes memory arguments) {
        arguments = new bytes(reason.length - 4);
        for (uint256 i; i < arguments.length; ++i) {
            arguments[i] = reason[i + 4];
        }
    }

    /// Whatever gas the sender gives, a payout that the token takes is made or the whole settlement reverts.
    function test_noGasTurnsAPayoutIntoAClaim() external {
        Order memory order = fundedOrder();
        bytes memory signed = signatures(order, 400e6, FOREVER, SELLER | BUYER);
        bytes memory call = abi.encodeCall(escrow.settle, (order, 400e6, FOREVER, signed));
        uint256 settled;
        for (uint256 available = 20_000; available < 300_000; available += 1_009) {
            uint256 before = vm.snapshotState();
            (bool taken,) = address(escrow).call{gas: available}(call);
            if (taken) {
                ++settled;
                vm.assertEq(escrow.claimsOf(orderIdOf(order)), 0);
                vm.assertEq(token.balanceOf(buyer), 396e6);
            }
            vm.revertToState(before);
        }
        vm.assertTrue(settled > 50);
    }
}
