// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, Role} from "../../contracts/interfaces/IEscrow.sol";
import {RefusingToken} from "../../contracts/mocks/RefusingToken.sol";
import {Base} from "./Base.sol";

/// @notice `claim`: how a refused payout is withdrawn.
contract ClaimTest is Base {
    uint256 private constant DUE = 396e6;
    address private constant ELSEWHERE = address(0xE15E);

    RefusingToken private refusing;
    Order private order;

    function setUp() public override {
        super.setUp();
        refusing = new RefusingToken();
        order = makeOrder();
        order.token = address(refusing);
        refusing.mint(vaultOf(order), AMOUNT);
        refusing.setManner(buyer, RefusingToken.Manner.Revert);
        settle(order, 400e6, SELLER | BUYER);
    }

    function claimed(address to) private {
        vm.expectEmit(address(escrow));
        emit IEscrow.Claimed(orderIdOf(order), buyer, to, DUE);
    }

    function claim(address to, uint256 validUntil, bytes memory signature) private {
        vm.prank(buyer);
        escrow.claim(order, to, validUntil, signature);
    }

    function refuseClaim(address to, uint256 validUntil, bytes memory signature, bytes memory reason) private {
        vm.expectRevert(reason);
        claim(to, validUntil, signature);
    }

    function consent(address owner, address to, uint256 validUntil) private view returns (bytes memory) {
        return sign(Role.Coordinator, claimToDigest(order, owner, to, validUntil));
    }

    function test_ownerWithdrawsToThemself() external {
        refusing.setManner(buyer, RefusingToken.Manner.Accept);
        claimed(buyer);
        claim(buyer, 0, "");
        vm.assertEq(refusing.balanceOf(buyer), DUE);
        vm.assertEq(escrow.claimOf(orderIdOf(order), buyer), 0);
        vm.assertEq(escrow.claimsOf(orderIdOf(order)), 0);
        bytes memory none = abi.encodeWithSelector(IEscrow.NoClaim.selector, orderIdOf(order), buyer);
        refuseClaim(buyer, 0, "", none);
    }

    function test_ownerWithdrawsElsewhereWithTheCoordinator() external {
        bytes memory signature = consent(buyer, ELSEWHERE, START + 1);
        claimed(ELSEWHERE);
        claim(ELSEWHERE, START + 1, signature);
        vm.assertEq(refusing.balanceOf(ELSEWHERE), DUE);
        vm.assertEq(refusing.balanceOf(vaultOf(order)), 0);
    }

    function test_consentExpires() external {
        bytes memory signature = consent(buyer, ELSEWHERE, START);
        bytes memory expired = abi.encodeWithSelector(IEscrow.Expired.selector, START, START);
        refuseClaim(ELSEWHERE, START, signature, expired);
    }

    function test_consentToAnythingElseIsRefused() external {
        bytes memory invalid = abi.encodeWithSelector(
            IEscrow.InvalidSignature.selector,
            Role.Coordinator,
            coordinator,
            claimToDigest(order, buyer, ELSEWHERE, FOREVER)
        );
        refuseClaim(ELSEWHERE, FOREVER, "", invalid);
        refuseClaim(ELSEWHERE, FOREVER, consent(buyer, NOBODY, FOREVER), invalid);
        refuseClaim(ELSEWHERE, FOREVER, consent(seller, ELSEWHERE, FOREVER), invalid);
        refuseClaim(ELSEWHERE, FOREVER, consent(buyer, ELSEWHERE, FOREVER - 1), invalid);
        bytes memory byArbitrator = sign(Role.Arbitrator, claimToDigest(order, buyer, ELSEWHERE, FOREVER));
        refuseClaim(ELSEWHERE, FOREVER, byArbitrator, invalid);
    }

    function test_othersHaveNoClaim() external {
        address[4] memory others = [seller, coordinator, arbitrator, NOBODY];
        for (uint256 i; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IEscrow.NoClaim.selector, orderIdOf(order), others[i]));
            vm.prank(others[i]);
            escrow.claim(order, others[i], 0, "");
        }
    }

    function test_aRefusedWithdrawalChangesNothing() external {
        bytes memory refused =
            abi.encodeWithSelector(IEscrow.TransferRefused.selector, address(refusing), buyer, DUE);
        refuseClaim(buyer, 0, "", refused);
        vm.assertEq(escrow.claimOf(orderIdOf(order), buyer), DUE);
    }
}
