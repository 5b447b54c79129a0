// Package kdf is the one table of everything session derives a key, signs or
// hashes under. Each use has its own label, so that no two uses can be confused with
// each other. A test holds that all labels differ, that none is the beginning of
// another, and that each is used.
//
//	Derive  HKDF-SHA-256 (RFC 5869) with the label as info
//	Step    HMAC-SHA-256 with the label as message: one step of a key chain
//	Hash    SHA-256 over the label and the parts
//
// HMAC and HKDF are written out over crypto/sha256, on the stack: with
// crypto/hmac and crypto/hkdf a message costs 213 allocations and two fifths of
// its time more (ADR 0011). Tests compare them with those packages and
// with the vectors of RFC 4231, RFC 5869 and Wycheproof.
//
// Signatures are made over the label followed by the encoded key.
package kdf

import "crypto/sha256"

// Size is the length of a key, a chain key and a hash in bytes.
const Size = sha256.Size

// A Label names one use of a primitive.
type Label string

// The labels. The two of one byte are the constants of Double Ratchet section
// 7.2; they are only ever used with Step, under chain keys.
const (
	// Handshake: PQXDH's SK, and its parts.
	PQXDH         Label = "Starling v1 PQXDH X25519 ML-KEM-1024 SHA-256"
	SplitEC       Label = "Starling v1 split: double ratchet root key"
	SplitPQ       Label = "Starling v1 split: post-quantum ratchet secret"
	SplitHeaderA  Label = "Starling v1 split: header key of the initiator"
	SplitHeaderB  Label = "Starling v1 split: next header key of the responder"
	SplitTagsA    Label = "Starling v1 split: tags from the initiator"
	SplitTagsB    Label = "Starling v1 split: tags from the responder"
	SplitExporter Label = "Starling v1 split: exporter"

	// Ratchet.
	Root         Label = "Starling v1 KDF_RK_HE"
	ChainMessage Label = "\x01"
	ChainNext    Label = "\x02"
	Hybrid       Label = "Starling v1 KDF_HYBRID"
	Message      Label = "Starling v1 message keys"

	// Tags of a direction.
	TagValue   Label = "Starling v1 tag: value"
	TagNext    Label = "Starling v1 tag: next"
	TagFlares  Label = "Starling v1 tag: flares"
	TagAnswers Label = "Starling v1 tag: answers"

	// Invite: the outputs of its secret.
	InviteID         Label = "Starling v1 invite: id"
	InviteBundleTags Label = "Starling v1 invite: bundle tags"
	InviteBundleKey  Label = "Starling v1 invite: bundle key"
	InviteHelloTags  Label = "Starling v1 invite: hello tags"
	InviteHelloKey   Label = "Starling v1 invite: hello key"

	// Reset: the secrets of an offer to follow a session that was given up, by the
	// role of the offerer, and the keys derived from them.
	ResetInitiator Label = "Starling v1 reset: offer of the initiator"
	ResetResponder Label = "Starling v1 reset: offer of the responder"
	ResetTags      Label = "Starling v1 reset: tags"
	ResetKey       Label = "Starling v1 reset: key"
	ResetProof     Label = "Starling v1 reset: proof"

	// Rooms: names of people, entries and statements.
	RoomMember  Label = "Starling v1 room: member"
	RoomEntry   Label = "Starling v1 room: entry"
	RoomContext Label = "Starling v1 room: context"

	// Rooms: keys. Seed and Step begin the info of HPKE.
	RoomLeaf        Label = "Starling v1 room: leaf"
	RoomRekey       Label = "Starling v1 room: rekey"
	RoomSeed        Label = "Starling v1 room: seed"
	RoomConfirm     Label = "Starling v1 room: confirm"
	RoomPlace       Label = "Starling v1 room: place"
	RoomChain       Label = "Starling v1 room: chain"
	RoomGeneration  Label = "Starling v1 room: generation"
	RoomStep        Label = "Starling v1 room: handed over"
	RoomStepID      Label = "Starling v1 room: step"
	RoomStepConfirm Label = "Starling v1 room: next confirmed"
	RoomList        Label = "Starling v1 room: list"
	RoomRoot        Label = "Starling v1 room: root"
	RoomNode        Label = "Starling v1 room: node"
	RoomSender      Label = "Starling v1 room: sender"
	RoomMessage     Label = "Starling v1 room: message keys"
	RoomReturn      Label = "Starling v1 room: after a return"
	RoomReturned    Label = "Starling v1 room: returned"
	RoomStatement   Label = "Starling v1 room: statement"

	// Rooms: lanes and cells.
	RoomLane     Label = "Starling v1 room: writers of a lane"
	RoomOpenLane Label = "Starling v1 room: open to all"
	RoomLog      Label = "Starling v1 room: log"
	RoomTag      Label = "Starling v1 room: tags"
	RoomCell     Label = "Starling v1 room: cell"
	RoomBody     Label = "Starling v1 room: body"
	RoomContent  Label = "Starling v1 room: content"
	RoomHeard    Label = "Starling v1 room: heard of a chain"
	RoomCard     Label = "Starling v1 room: card"
	RoomMeeting  Label = "Starling v1 room: where to meet"

	// Rooms: joining.
	RoomLinkID   Label = "Starling v1 room: invite"
	RoomLinkCard Label = "Starling v1 room: author of a link"
	RoomRequest  Label = "Starling v1 room: request"
	RoomSafety   Label = "Starling v1 room: number to compare"
	RoomAside    Label = "Starling v1 room: to one member"
	RoomAnswer   Label = "Starling v1 room: answer to a knock"

	// The secrets that a session gives to its holder.
	SafetyNumber Label = "Starling v1 safety number"
	VerifyCode   Label = "Starling v1 verification code"
	Export       Label = "Starling v1 export"

	// Signatures.
	SignDH      Label = "Starling v1 signature: identity DH key"
	SignSigned  Label = "Starling v1 signature: signed prekey"
	SignOneTime Label = "Starling v1 signature: one-time prekey"
	SignKEM     Label = "Starling v1 signature: one-time KEM prekey"

	// Signatures of rooms.
	SignPerson    Label = "Starling v1 signature: room person"
	SignEntry     Label = "Starling v1 signature: room entry"
	SignPact      Label = "Starling v1 signature: room pact"
	SignStatement Label = "Starling v1 signature: room statement"
	SignCell      Label = "Starling v1 signature: room cell"
	SignLeaf      Label = "Starling v1 signature: room leaf"
	SignKnock     Label = "Starling v1 signature: room knock"
	SignAnswer    Label = "Starling v1 signature: room answer"

	// Hashes.
	AssociatedData Label = "Starling v1 hash: associated data"
	BundleHash     Label = "Starling v1 hash: bundle"
	LinkChecksum   Label = "Starling v1 hash: link"
	ExportContext  Label = "Starling v1 hash: export context"
)

// Table lists every label.
var Table = []Label{
	PQXDH, SplitEC, SplitPQ, SplitHeaderA, SplitHeaderB, SplitTagsA, SplitTagsB, SplitExporter,
	Root, ChainMessage, ChainNext, Hybrid, Message,
	TagValue, TagNext, TagFlares, TagAnswers,
	InviteID, InviteBundleTags, InviteBundleKey, InviteHelloTags, InviteHelloKey,
	ResetInitiator, ResetResponder, ResetTags, ResetKey, ResetProof, SafetyNumber, VerifyCode, Export,
	RoomMember, RoomEntry, RoomContext, RoomLeaf, RoomRekey, RoomSeed, RoomConfirm, RoomPlace, RoomChain,
	RoomGeneration, RoomStep, RoomStepID, RoomStepConfirm, RoomList, RoomRoot, RoomNode, RoomSender, RoomMessage, RoomReturn, RoomReturned, RoomStatement,
	RoomLane, RoomOpenLane, RoomLog, RoomTag, RoomCell, RoomBody, RoomContent, RoomHeard, RoomCard, RoomMeeting,
	RoomLinkID, RoomLinkCard, RoomRequest, RoomSafety, RoomAside, RoomAnswer,
	SignDH, SignSigned, SignOneTime, SignKEM, SignPerson, SignEntry, SignPact, SignStatement, SignCell, SignLeaf, SignKnock, SignAnswer,
	AssociatedData, BundleHash, LinkChecksum, ExportContext,
}

// Derive fills out, in order, from HKDF-SHA-256 of secret. A nil salt is 32
// zero bytes, as RFC 5869 has it. Salt is at most 64 bytes.
func Derive(l Label, salt, secret []byte, out ...[]byte) {
	HKDF(string(l), salt, secret, out...)
}

// Step is HMAC-SHA-256(key, label).
func Step(l Label, key *[Size]byte) [Size]byte {
	var message [maxInfo]byte
	return MAC(key[:], message[:copy(message[:], l)])
}

// Hash is SHA-256(label ‖ parts). Its callers give parts of fixed width, or one part,
// so that no two inputs run together to the same bytes.
func Hash(l Label, parts ...[]byte) (out [Size]byte) {
	h := sha256.New()
	h.Write([]byte(l))
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(out[:0])
	return out
}
