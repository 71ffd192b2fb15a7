// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEscrow, Order, Role, Settlement} from "../../../contracts/interfaces/IEscrow.sol";
import {ContractSigner} from "../../../contracts/mocks/ContractSigner.sol";
import {Permits} from "../Permits.sol";
import {OddToken} from "./OddToken.sol";
import {AnsweringWallet, BurningWallet, PlainDelegate, ReenteringWallet, RevertingWallet} from "./Wallets.sol";

interface ISafe {
    function setup(
        address[] calldata owners,
        uint256 threshold,
        address to,
        bytes calldata data,
        address fallbackHandler,
        address paymentToken,
        uint256 payment,
        address payable paymentReceiver
    ) external;
}

/// @notice Every kind of account signs every kind of message; wallets that misbehave sign nothing and stop nobody.
contract SignersTest is Permits {
    string private constant SAFE = "node_modules/@safe-global/safe-smart-account/build/artifacts/contracts/";
    uint256 private constant GAS = 30_000_000;

    enum Kind {
        Key,
        CompactKey,
        DelegatedWithout1271,
        DelegatedWith1271,
        DelegatedBy1271,
        Contract,
        Safe
    }

    uint64 private salt;

    function setUp() public override {
        super.setUp();
        installPermit2();
        token.transfer(seller, AMOUNT);
        vm.prank(seller);
        token.approve(PERMIT2, AMOUNT);
    }

    // The kinds

    /// An account of this kind for `role`, in the order's terms.
    function seat(Order memory order, Role role, Kind kind) private {
        address key = vm.addr(keyOf(role));
        address account = key;
        if (kind == Kind.DelegatedWithout1271) delegate(role, address(new PlainDelegate()));
        // The code takes another key's signatures: here the account's own is used, and next the other.
        if (kind == Kind.DelegatedWith1271) delegate(role, address(new ContractSigner(NOBODY)));
        if (kind == Kind.DelegatedBy1271) delegate(role, address(new ContractSigner(vm.addr(memberKey(role, 0)))));
        if (kind == Kind.Contract) account = address(new ContractSigner(key));
        if (kind == Kind.Safe) account = panel(role);
        put(order, role, account);
    }

    function put(Order memory order, Role role, address account) private pure {
        if (role == Role.Seller) order.seller = account;
        if (role == Role.Buyer) order.buyer = account;
        if (role == Role.Coordinator) order.coordinator = account;
        if (role == Role.Arbitrator) order.arbitrator = account;
    }

    function signAs(Kind kind, address account, Role role, bytes32 digest) private view returns (bytes memory) {
        if (kind == Kind.CompactKey) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(role), digest);
            return abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255)));
        }
        if (kind == Kind.DelegatedBy1271) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(memberKey(role, 0), digest);
            return abi.encodePacked(r, s, v);
        }
        return kind == Kind.Safe ? byPanel(account, role, digest, 0, 2) : sign(role, digest);
    }

    /// A Safe of three, two of whom sign.
    function panel(Role role) private returns (address safe) {
        address singleton = vm.deployCode(string.concat(SAFE, "Safe.sol/Safe.json"));
        address handler = vm.deployCode(
            string.concat(SAFE, "handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler.json")
        );
        safe = vm.deployCode(string.concat(SAFE, "proxies/SafeProxy.sol/SafeProxy.json"), abi.encode(singleton));
        address[] memory owners = new address[](3);
        for (uint256 i; i < 3; ++i) {
            owners[i] = vm.addr(memberKey(role, i));
        }
        ISafe(safe).setup(owners, 2, address(0), "", handler, address(0), 0, payable(0));
    }

    function memberKey(Role role, uint256 i) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(role, i)));
    }

    /// The Safe's message signed by members `first` to `last`, in the order of their addresses as a Safe wants it.
    function byPanel(address safe, Role role, bytes32 digest, uint256 first, uint256 last)
        private
        view
        returns (bytes memory made)
    {
        bytes32 domain = keccak256(
            abi.encode(keccak256("EIP712Domain(uint256 chainId,address verifyingContract)"), block.chainid, safe)
        );
        bytes32 message = keccak256(abi.encode(keccak256("SafeMessage(bytes message)"), keccak256(abi.encode(digest))));
        bytes32 hash = keccak256(abi.encodePacked(hex"1901", domain, message));
        uint256 least;
        for (uint256 n = first; n < last; ++n) {
            uint256 next = nextKey(role, least, first, last);
            least = uint160(vm.addr(next));
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(next, hash);
            made = abi.encodePacked(made, r, s, v);
        }
    }

    /// Key of the member whose address is the lowest above `least`.
    function nextKey(Role role, uint256 least, uint256 first, uint256 last) private pure returns (uint256 key) {
        uint256 best = FOREVER;
        for (uint256 i = first; i < last; ++i) {
            uint256 account = uint160(vm.addr(memberKey(role, i)));
            if (account > least && account < best) (best, key) = (account, memberKey(role, i));
        }
    }

    // Every kind, every message

    function test_everyKindSignsEveryMessage() external {
        for (uint256 i; i <= uint256(type(Kind).max); ++i) {
            Kind kind = Kind(i);
            uint256 before = vm.snapshotState();
            settles(kind);
            vm.revertToState(before);
            asksForARefund(kind);
            vm.revertToState(before);
            disputesAndIsRuledUpon(kind);
            vm.revertToState(before);
            consentsToAClaim(kind);
            vm.revertToState(before);
        }
    }

    function fill(Order memory order) private {
        order.salt = ++salt;
        token.transfer(vaultOf(order), AMOUNT);
    }

    function settles(Kind kind) private {
        Order memory order = makeOrder();
        seat(order, Role.Seller, kind);
        seat(order, Role.Coordinator, kind);
        fill(order);
        bytes32 digest = settlementDigest(orderIdOf(order), AMOUNT, FOREVER);
        bytes memory signed = abi.encodePacked(
            one(Role.Seller, signAs(kind, order.seller, Role.Seller, digest)),
            one(Role.Coordinator, signAs(kind, order.coordinator, Role.Coordinator, digest))
        );
        escrow.settle(order, AMOUNT, FOREVER, signed);
        vm.assertEq(token.balanceOf(buyer), AMOUNT - FEE);
    }

    function asksForARefund(Kind kind) private {
        Order memory order = makeOrder();
        seat(order, Role.Seller, kind);
        fill(order);
        vm.warp(order.payBy);
        bytes memory signature = signAs(kind, order.seller, Role.Seller, refundRequestDigest(order));
        escrow.requestRefund(order, signature);
        vm.assertEq(escrow.stateOf(orderIdOf(order)).refundRequestedAt, order.payBy);
    }

    function disputesAndIsRuledUpon(Kind kind) private {
        Order memory order = makeOrder();
        seat(order, Role.Buyer, kind);
        seat(order, Role.Arbitrator, kind);
        fill(order);
        escrow.dispute(order, Role.Buyer, signAs(kind, order.buyer, Role.Buyer, disputeDigest(order)));
        bytes32 digest = settlementDigest(orderIdOf(order), AMOUNT, FOREVER);
        bytes memory signed = abi.encodePacked(
            one(Role.Buyer, signAs(kind, order.buyer, Role.Buyer, digest)),
            one(Role.Arbitrator, signAs(kind, order.arbitrator, Role.Arbitrator, digest))
        );
        escrow.settle(order, AMOUNT, FOREVER, signed);
        vm.assertEq(token.balanceOf(order.buyer), AMOUNT - FEE);
    }

    function consentsToAClaim(Kind kind) private {
        Order memory order = makeOrder();
        seat(order, Role.Coordinator, kind);
        OddToken odd = owes(order, buyer);
        bytes32 digest = claimToDigest(order, buyer, NOBODY, FOREVER);
        bytes memory signature = signAs(kind, order.coordinator, Role.Coordinator, digest);
        vm.prank(buyer);
        escrow.claim(order, NOBODY, FOREVER, signature);
        vm.assertEq(odd.balanceOf(NOBODY), AMOUNT - FEE);
    }

    /// The order is settled in a token that does not pay `owner`.
    function owes(Order memory order, address owner) private returns (OddToken odd) {
        odd = new OddToken(6);
        (order.token, order.salt) = (address(odd), ++salt);
        odd.mint(vaultOf(order), AMOUNT);
        odd.turn(OddToken.Way.FreezesRecipient, owner);
        settle(order, AMOUNT, SELLER | BUYER);
    }

    // A panel is as strong as its threshold

    function test_oneOfThreeIsNoPanel() external {
        Order memory order = makeOrder();
        seat(order, Role.Arbitrator, Kind.Safe);
        fill(order);
        dispute(order);
        bytes32 digest = settlementDigest(orderIdOf(order), AMOUNT, FOREVER);
        bytes memory buyers = one(Role.Buyer, sign(Role.Buyer, digest));
        bytes memory alone = byPanel(order.arbitrator, Role.Arbitrator, digest, 0, 1);
        bytes memory invalid =
            abi.encodeWithSelector(IEscrow.InvalidSignature.selector, Role.Arbitrator, order.arbitrator, digest);
        vm.expectRevert(invalid);
        escrow.settle(order, AMOUNT, FOREVER, bytes.concat(buyers, one(Role.Arbitrator, alone)));
        bytes memory others = byPanel(order.arbitrator, Role.Buyer, digest, 0, 2);
        vm.expectRevert(invalid);
        escrow.settle(order, AMOUNT, FOREVER, bytes.concat(buyers, one(Role.Arbitrator, others)));
        bytes memory two = byPanel(order.arbitrator, Role.Arbitrator, digest, 1, 3);
        escrow.settle(order, AMOUNT, FOREVER, bytes.concat(buyers, one(Role.Arbitrator, two)));
    }

    // Wallets that misbehave

    function test_badWalletsSignNothingAndStopNobody() external {
        bytes4 magic = 0x1626ba7e;
        bytes[7] memory answers = [
            bytes(""),
            abi.encodePacked(magic),
            abi.encodePacked(magic, bytes27(0)),
            abi.encodePacked(magic, bytes27(0), hex"01"),
            abi.encode(uint256(uint32(magic))),
            abi.encode(true),
            new bytes(50_000)
        ];
        for (uint256 i; i < answers.length; ++i) {
            signsNothing(address(new AnsweringWallet(answers[i])));
        }
        signsNothing(address(new RevertingWallet()));
        signsNothing(address(new BurningWallet()));
        signsEverything(address(new AnsweringWallet(abi.encode(magic))));
    }

    /// The seller may ask for a refund of it at once.
    function overdueOrder() private view returns (Order memory order) {
        order = makeOrder();
        order.payBy = uint64(START);
    }

    /// In whichever seat: the message is refused, and the others end the order without it.
    function signsNothing(address wallet) private {
        for (uint256 i; i < 4; ++i) {
            Role role = Role(i);
            Order memory order = overdueOrder();
            put(order, role, wallet);
            fill(order);
            if (role == Role.Arbitrator) dispute(order);
            bytes32 digest = settlementDigest(orderIdOf(order), AMOUNT, FOREVER);
            bytes memory call = abi.encodeCall(escrow.settle, (order, AMOUNT, FOREVER, one(role, hex"00")));
            refused(order, call, role, digest);
            if (i < 2) {
                call = abi.encodeCall(escrow.dispute, (order, role, hex"00"));
                refused(order, call, role, disputeDigest(order));
            }
            if (role == Role.Seller) {
                call = abi.encodeCall(escrow.requestRefund, (order, hex"00"));
                refused(order, call, role, refundRequestDigest(order));
            }
            endsWithout(order, role);
        }
        Order memory owing = makeOrder();
        owing.coordinator = wallet;
        owes(owing, buyer);
        refused(
            owing,
            abi.encodeCall(escrow.claim, (owing, NOBODY, FOREVER, hex"00")),
            Role.Coordinator,
            claimToDigest(owing, buyer, NOBODY, FOREVER)
        );
    }

    function endsWithout(Order memory order, Role role) private {
        if (role == Role.Seller) settle(order, 0, BUYER | COORDINATOR);
        else if (role == Role.Buyer) settle(order, AMOUNT, SELLER | COORDINATOR);
        else settle(order, AMOUNT / 2, SELLER | BUYER);
        vm.assertEq(token.balanceOf(vaultOf(order)), 0);
    }

    /// In whichever seat: with it a settlement, a dispute, a refund request and a claim to another address go through.
    function signsEverything(address wallet) private {
        for (uint256 i; i < 4; ++i) {
            Role role = Role(i);
            Order memory order = overdueOrder();
            put(order, role, wallet);
            fill(order);
            if (role == Role.Seller) escrow.requestRefund(order, "");
            if (i < 2) escrow.dispute(order, role, "");
            else dispute(order);
            vm.prank(role == Role.Seller ? arbitrator : seller);
            escrow.settle(order, AMOUNT, FOREVER, one(role, ""));
        }
        Order memory owing = makeOrder();
        owing.coordinator = wallet;
        owes(owing, buyer);
        vm.prank(buyer);
        escrow.claim(owing, NOBODY, FOREVER, "");
    }

    function refused(Order memory order, bytes memory call, Role role, bytes32 digest) private {
        vm.prank(role == Role.Buyer ? seller : buyer);
        (bool done, bytes memory reason) = address(escrow).call{gas: GAS}(call);
        vm.assertFalse(done);
        address wallet = [order.seller, order.buyer, order.coordinator, order.arbitrator][uint256(role)];
        vm.assertEq(reason, abi.encodeWithSelector(IEscrow.InvalidSignature.selector, role, wallet, digest));
    }
    /// Every verb with what it takes, on orders on which it goes through.
    function verbsFor(address wallet) private returns (bytes[8] memory verbs) {
        Order memory order = overdueOrder();
        fill(order);
        Order memory owing = makeOrder();
        owing.feeRecipient = wallet;
        owes(owing, wallet).turn(OddToken.Way.Honest, address(0));
        Settlement[] memory items = new Settlement[](1);
        items[0] = Settlement(order, AMOUNT, FOREVER, signatures(order, AMOUNT, FOREVER, 15));
        bytes memory permitted = permit(Role.Seller, order, address(escrow), order.salt, FOREVER);
        verbs[0] = abi.encodeCall(escrow.settle, (order, AMOUNT, FOREVER, items[0].signatures));
        verbs[1] = abi.encodeCall(escrow.claim, (owing, wallet, 0, ""));
        verbs[2] = abi.encodeCall(escrow.sweep, (lateOrder(), address(token)));
        verbs[3] = abi.encodeCall(escrow.settleBatch, (items));
        verbs[4] = abi.encodeCall(escrow.requestRefund, (order, sign(Role.Seller, refundRequestDigest(order))));
        verbs[5] = abi.encodeCall(escrow.dispute, (order, Role.Buyer, sign(Role.Buyer, disputeDigest(order))));
        verbs[6] = abi.encodeCall(escrow.fundWithPermit2, (order, order.salt, FOREVER, permitted));
        verbs[7] = abi.encodeCall(escrow.publish, (order));
    }

    /// Settled, and tokens came late.
    function lateOrder() private returns (Order memory order) {
        order = makeOrder();
        order.salt = ++salt;
        settle(order, 0, BUYER | COORDINATOR);
        token.transfer(vaultOf(order), 5);
    }

    /// While it is asked for its signature, a wallet may read all there is of the escrow but change nothing.
    function test_aWalletReadsButDoesNotReenter() external {
        ReenteringWallet wallet = new ReenteringWallet(address(escrow));
        bytes[8] memory verbs = verbsFor(address(wallet));
        for (uint256 i; i < verbs.length; ++i) {
            wallet.callBack(verbs[i]);
            signsNothing(address(wallet));
            requireTakenAlone(address(wallet), verbs[i]);
        }
        bytes32 id = orderIdOf(makeOrder());
        bytes[6] memory views = [
            abi.encodeCall(escrow.orderIdOf, (makeOrder())),
            abi.encodeCall(escrow.vaultOf, (id)),
            abi.encodeCall(escrow.stateOf, (id)),
            abi.encodeCall(escrow.claimOf, (id, seller)),
            abi.encodeCall(escrow.claimsOf, (id)),
            abi.encodeCall(escrow.allows, (makeOrder(), AMOUNT, 15))
        ];
        for (uint256 i; i < views.length; ++i) {
            wallet.callBack(views[i]);
            signsEverything(address(wallet));
        }
    }

    /// A seller who is sent the native coin calls back: no verb that moves money is entered.
    function test_aWalletThatIsPaidDoesNotReenter() external {
        ReenteringWallet wallet = new ReenteringWallet(address(escrow));
        Order memory order = makeOrder();
        (order.seller, order.salt) = (address(wallet), ++salt);
        settle(order, 0, BUYER | COORDINATOR);
        bytes[8] memory verbs = verbsFor(address(wallet));
        for (uint256 i; i < 3; ++i) {
            wallet.callBack(verbs[i]);
            vm.deal(vaultOf(order), 3);
            escrow.sweep(order, address(0));
            vm.assertFalse(wallet.entered());
            requireTakenAlone(address(wallet), verbs[i]);
        }
        vm.assertEq(address(wallet).balance, 9);
    }

    /// What was refused in a callback was not refused for another reason.
    function requireTakenAlone(address by, bytes memory verb) private {
        uint256 before = vm.snapshotState();
        vm.prank(by);
        (bool done,) = address(escrow).call(verb);
        vm.assertTrue(done);
        vm.revertToState(before);
    }
}
