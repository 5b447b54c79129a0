// Package mailbox stores boxes for absent recipients.
//
// A box is 1,536 opaque bytes under a one-time tag of 16 bytes. Any holder of the tag
// may read and delete the box; nothing links two tags. Requests reach the mailbox as
// the message of an Outfox packet and answers leave through the reply blocks that came
// with the request, so the mailbox knows neither side.
//
// # Requests
//
// Every request and answer fills one outfox.Message of 2,032 bytes; the rest is zeros, anything else is refused.
//
//	put    0     1     1
//	       1     367   reply block for the answer
//	       368   16    tag
//	       384   1536  box
//
//	fetch  0     1     2
//	       1     1     1 to keep unused blocks as a standing subscription, or 0
//	       2     1     t, number of tags, at most 32
//	       3     1     a, number of acknowledged tags, at most 32
//	       4     1     b, number of reply blocks, 1 to 5
//	       5     8     lease: random, the same in all fetches of one watch; or zeros
//	       13    8     stamp, or zeros
//	       21    16·t  tags to look for
//	       …     16·a  tags to delete
//	       …     367·b reply blocks
//
//	list   0     1     3
//	       1     367   reply block for the answer
//	       368   1     the first byte of the node ids that are asked for
//
// With 4 blocks 33 tags fit in all, with 5 blocks 11.
//
//	append 0     1     4
//	       1     367   reply block for the answer: stored, taken or full
//	       368   32    public key of a log
//	       400   16    tag
//	       416   64    signature over label, key, tag and box
//	       480   1536  box
//
//	follow 0     1     5
//	       1     1     mode: 0 look, 1 stand, 2 more
//	       2     1     n, number of logs, 1 to 8
//	       3     1     b, number of reply blocks, 1 to 5
//	       4     8     lease: random, the same in all follows of one reader; or zeros
//	       12    8     stamp, or zeros
//	       20    20·n  logs: name (16), position after which to read (4)
//	       …     367·b reply blocks
//
// # Answers
//
//	stored 0     1     1     the box is on disk, or was and has been acknowledged
//	taken  0     1     2     another box is, or was, under the tag
//	       1     1     1: it follows; 0: it was acknowledged, and zeros follow
//	       2     1536  the box
//	full   0     1     3     no room, or no disk; nothing was kept
//	box    0     1     4
//	       1     2     how many more boxes wait that these blocks could not carry
//	       3     1     reply blocks that stand now
//	       4     1     seat: 0; 255: there is none; or the bits of a stamp that gets one
//	       5     16    tag
//	       21    1536  box
//	none   0     1     5     none of the tags has a box
//	       1     2     0
//	       3     1     reply blocks that stand now
//	       4     1     seat, as above
//	list   0     1     6
//	       1     8     seconds since 1970 by the clock of the relay
//	       9     2     number of relays that it lists
//	       11    32    digest of those that were asked for, as in package directory
//	       43    1     n, number of entries that follow
//	       44    …     entries: length (2), known (2), descriptor; those that fit, at random
//
//	entry  0     1     7
//	       1     2     about how many more entries wait that these blocks could not carry
//	       3     1     reply blocks that stand now
//	       4     1     seat, as above
//	       5     16    name of the log
//	       21    8     instance (4), position (4)
//	       29    80    tag (16), signature (64)
//	       109   1536  box
//	end    0     1     8
//	       1     1     reply blocks that stand now
//	       2     1     seat, as above
//	       3     1     how many entries answer the same request
//	       4     1     n, number of logs
//	       5     58·n  name (16), instance (4), entries (2), last position (4), digest (32)
//
// A put is answered when the box is on disk. A fetch first deletes the acknowledged
// boxes, then is answered by one box per block, or by none. Unused blocks stand with
// the tags without a box. A box under such a tag is pushed the moment it arrives, and
// once more when it is put again: its sender repairs, and the first may have been lost
// on the way. While blocks are left, a box not acknowledged within 15 seconds of its
// leaving leaves again over the next one, because relays of the last may be down. A
// later fetch of the same tag that stands takes the tag over. When no blocks are left,
// or after SubscriptionLife, the subscription ends. Boxes stay until they are
// acknowledged, or for TTL, of the time that the mailbox runs.
//
// A put that finds another box gets it: its sender can then tell a box of his own,
// or of his recipient, from a claim.
//
// Malformed requests are dropped without an answer.
//
// An acknowledged box leaves a tombstone of 16 bytes until it would have expired, so
// that a repair which comes late is not stored again. Tombstones are on disk, and as
// many as boxes are kept at most; then the oldest go.
//
// # Room
//
// Nobody has a share of the room, because nobody has a name: every packet comes from
// a mix, and which mix is the sender's choice anew each time. A limit for each link
// would shut out senders with a common last mix, and no attacker. A mailbox can tell
// only whether a fetch has named the tag of a box, before or since. Recipients name the
// tags ahead of those they have received, so nearly all mail is asked for before it
// comes, also while the recipient is away.
//
//   - Three quarters of the room are for boxes asked for, one for others. While there
//     is room everybody gets it. When there is none, a new box replaces a random one
//     of the class that has more than its share, at once. If none has, it replaces
//     one of its own class, and that not faster than the share in TurnoverTime, with
//     a sixteenth of it in advance. Otherwise the answer is full, and the sender
//     knows that it must go elsewhere.
//   - Puts are limited in a second, each class for itself. Interest has its cap and a
//     turnover of the same kind: a client that renews is not driven out, a newcomer
//     waits for its turn.
//   - A watch sits on a seat, which bounds the memory of its subscriptions. Renewing
//     keeps it. When all are taken a newcomer gets that of a random one younger than a
//     day, and above three quarters only with a stamp, which costs about a second of
//     work. Fetches with a seat, other fetches, and puts are worked on side by side, so
//     that no kind keeps another waiting.
//
// So a flood of boxes that nobody asks for takes nothing from those that somebody
// does. Other boxes, invites for example, stay a day in the mean once stored, and
// get in as often as the ration and the flood allow. Nothing is shut out until
// boxes expire: replacing never stops.
//
// An attacker that asks for its boxes pays one fetch more for 32 of them and is then
// like anybody else. Against him there is only this: a stored box stays 18 hours in the
// mean, any other is refused openly, and recipients have more than one mailbox.
// TestFlood and BenchmarkFlood have the figures.
//
// Only a price for each put would do better, and it is not asked. A hash over tag,
// box and mailbox with d leading zeros would fit into the rest of a put, and d into
// the rest of full. But twenty zeros cost somebody with one processor a third of a
// second for each copy, and somebody with a graphics card a ten-thousandth: an
// attacker would pay less than the users. Puzzles that are dear to make for
// everybody and cheap to check (Equi-X) have no implementation that could be used
// here.
//
// # Logs
//
// A log is a key pair. The private key is the right to append entries, the name, a hash of
// the public key, the right to read them; nobody deletes, so there may be many readers. A
// mailbox gives positions in the order of arrival. Somebody without the key can repeat an
// entry that is there: it prolongs its life, 28 days after its first arrival no more, is
// pushed to nobody, and is counted apart from new ones.
//
// Entries have room of their own, a quarter as many as there may be boxes, and requests of
// logs lines and rates of their own, so that no flood of them takes anything from mail. When
// their room is full, logs that nobody follows make room first, oldest entry first, then the
// one with the most entries. A log makes room for shorter ones only, and one that is
// followed never for one that is not. Readers sit on seats like watches, in another house.
// An expired entry is remembered for 28 days, so that it does not come again.
package mailbox

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"log/slog"
	"time"

	"starling/p2p/outfox"
)

// Sizes in bytes, and limits.
const (
	TagSize   = 16
	LeaseSize = 8
	BoxSize   = 1536
	MaxTags   = 32 // of a fetch
	MaxAcks   = 32 // of a fetch
	MaxBlocks = 5  // of a fetch

	// TTL is how long a box waits.
	TTL = 14 * 24 * time.Hour
	// SubscriptionLife is how long a standing subscription lives at most. Reply
	// blocks end with their epoch's keys, which may be earlier.
	SubscriptionLife = 6 * time.Hour
)

const (
	fetchHeader = 5 + LeaseSize + 8
	answerTag   = 5 // offset of the tag in a box answer
	putSize     = 1 + outfox.BlockSize + TagSize + BoxSize
	noSeat      = 255
	maxPrice    = 40
)

// A put fits into a message.
const _ = uint(outfox.MessageSize - putSize)

// Kinds of requests.
const (
	kindPut    = 1
	kindFetch  = 2
	kindList   = 3
	kindAppend = 4
	kindFollow = 5
)

// ErrMalformed is the one error of the decoders.
var ErrMalformed = errors.New("mailbox: malformed message")

// ErrTooMuch means that a request does not fit: too many tags, acknowledgements
// or blocks (see Room), or a box of the wrong size.
var ErrTooMuch = errors.New("mailbox: request does not fit")

// Tag is the one-time name of a box and the right to read and delete it.
type Tag [TagSize]byte

// String returns the first four bytes: a tag is a capability.
func (t Tag) String() string { return hex.EncodeToString(t[:4]) + "…" }

// LogValue keeps whole tags out of logs.
func (t Tag) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Box is the bytes of a box.
type Box [BoxSize]byte

// LeaseID names a watch at one mailbox, and nothing else of its owner.
type LeaseID [LeaseSize]byte

// Put asks to store a box.
type Put struct {
	Tag   Tag
	Box   Box
	Block *outfox.Block // for the answer
}

// Fetch asks for boxes.
type Fetch struct {
	Tags   []Tag
	Acks   []Tag
	Blocks []*outfox.Block
	Watch  bool // keep unused blocks as a standing subscription
	// Lease names the owner of the subscription, and Stamp pays for a seat, if need be;
	// see FindStamp. Both are zero without Watch, and Lease is not with it.
	Lease LeaseID
	Stamp uint64
}

// Room returns how many tags and acknowledgements together fit into a fetch with
// that many reply blocks.
func Room(blocks int) int {
	return max(0, (outfox.MessageSize-fetchHeader-blocks*outfox.BlockSize)/TagSize)
}

// BlocksFor returns how many reply blocks fit into a fetch beside so many tags and
// acknowledgements.
func BlocksFor(tags int) int {
	n := MaxBlocks
	for n > 1 && Room(n) < tags {
		n--
	}
	return n
}

// Message encodes the request.
func (p *Put) Message() *outfox.Message {
	m := new(outfox.Message)
	b := p.Block.Append(append(m[:0], kindPut))
	copy(m[len(b)+copy(m[len(b):], p.Tag[:]):], p.Box[:])
	return m
}

// Message encodes the request. The error is ErrTooMuch.
func (f *Fetch) Message() (*outfox.Message, error) {
	if len(f.Tags) > MaxTags || len(f.Acks) > MaxAcks || len(f.Blocks) < 1 || len(f.Blocks) > MaxBlocks ||
		len(f.Tags)+len(f.Acks) > Room(len(f.Blocks)) || !f.leased() {
		return nil, ErrTooMuch
	}
	m := new(outfox.Message)
	b := append(m[:0], kindFetch, 0, byte(len(f.Tags)), byte(len(f.Acks)), byte(len(f.Blocks)))
	if f.Watch {
		b[1] = 1
	}
	b = append(b, f.Lease[:]...)
	b = binary.BigEndian.AppendUint64(b, f.Stamp)
	for _, t := range f.Tags {
		b = append(b, t[:]...)
	}
	for _, t := range f.Acks {
		b = append(b, t[:]...)
	}
	for _, block := range f.Blocks {
		b = block.Append(b)
	}
	return m, nil
}

// leased reports whether there is a lease if one is needed, and none if not.
func (f *Fetch) leased() bool {
	if f.Watch {
		return f.Lease != LeaseID{}
	}
	return f.Lease == LeaseID{} && f.Stamp == 0
}

// ParseRequest reads a request: a *Put, a *Fetch, a *Question, an *Append or a *Follow.
func ParseRequest(m *outfox.Message) (any, error) {
	switch m[0] {
	case kindPut:
		return parsePut(m)
	case kindFetch:
		return parseFetch(m)
	case kindList:
		return parseQuestion(m)
	case kindAppend:
		return parseAppend(m)
	case kindFollow:
		return parseFollow(m)
	}
	return nil, ErrMalformed
}

func parsePut(m *outfox.Message) (*Put, error) {
	if !zero(m[putSize:]) {
		return nil, ErrMalformed
	}
	block, err := outfox.ParseBlock(m[1 : 1+outfox.BlockSize])
	if err != nil {
		return nil, ErrMalformed
	}
	p := &Put{Block: block}
	b := m[1+outfox.BlockSize:]
	copy(p.Box[:], b[copy(p.Tag[:], b):])
	return p, nil
}

func parseFetch(m *outfox.Message) (*Fetch, error) {
	watch, tags, acks, blocks := m[1], int(m[2]), int(m[3]), int(m[4])
	// Checked before the slices are made: a message cannot name more than it has.
	size := fetchHeader + (tags+acks)*TagSize + blocks*outfox.BlockSize
	if watch > 1 || tags > MaxTags || acks > MaxAcks || blocks < 1 || blocks > MaxBlocks ||
		size > len(m) || !zero(m[size:]) {
		return nil, ErrMalformed
	}

	f := &Fetch{Watch: watch == 1, Tags: make([]Tag, tags), Acks: make([]Tag, acks), Blocks: make([]*outfox.Block, blocks)}
	copy(f.Lease[:], m[5:])
	f.Stamp = binary.BigEndian.Uint64(m[5+LeaseSize:])
	if !f.leased() {
		return nil, ErrMalformed
	}

	b := m[fetchHeader:]
	for i := range f.Tags {
		b = b[copy(f.Tags[i][:], b):]
	}
	for i := range f.Acks {
		b = b[copy(f.Acks[i][:], b):]
	}
	for i := range f.Blocks {
		block, err := outfox.ParseBlock(b[:outfox.BlockSize])
		if err != nil {
			return nil, ErrMalformed
		}
		f.Blocks[i] = block
		b = b[outfox.BlockSize:]
	}
	return f, nil
}

// Kind is the kind of an answer.
type Kind byte

// Kinds of answers.
const (
	Stored Kind = 1 // the box is on disk
	Taken  Kind = 2 // another box is under the tag
	Full   Kind = 3 // nothing was kept
	Found  Kind = 4 // a box
	None   Kind = 5 // none of the tags has a box
	Listed Kind = 6 // the other relays that the relay knows
	Logged Kind = 7 // an entry of a log
	Ended  Kind = 8 // the ends of logs
)

// String returns the word of the package comment.
func (k Kind) String() string {
	switch k {
	case Stored:
		return "stored"
	case Taken:
		return "taken"
	case Full:
		return "full"
	case Found:
		return "box"
	case None:
		return "none"
	case Listed:
		return "list"
	case Logged:
		return "entry"
	case Ended:
		return "end"
	}
	return "unknown"
}

// Answer is the message that comes back through a reply block.
type Answer struct {
	Kind     Kind
	Pending  int // of Found and Logged: boxes that wait beyond this one for want of blocks
	Standing int // of Found, None, Logged and Ended: reply blocks that stand now
	// NoSeat, of the same: the request asked for a subscription, and there is no
	// seat for it. With a stamp of Price bits there may be one, if that is not 0.
	NoSeat bool
	Price  int
	Tag    Tag  // of Found
	Box    Box  // of Found, and of Taken when it is there
	Here   bool // of Taken: another box is there; it may also have been acknowledged
	List   *List
	Entry  *LogEntry // of Logged
	Ends   []LogEnd  // of Ended
	Sent   int       // of Ended: how many entries answer the same request
}

// Message encodes the answer.
func (a *Answer) Message() *outfox.Message {
	m := new(outfox.Message)
	m[0] = byte(a.Kind)

	// Larger numbers than a field has are cut: they are hints of how much there is.
	switch a.Kind {
	case Found:
		binary.BigEndian.PutUint16(m[1:], uint16(min(a.Pending, MaxTags)))
		copy(m[answerTag:], a.Tag[:])
		copy(m[answerTag+TagSize:], a.Box[:])
		fallthrough
	case None:
		m[3], m[4] = byte(min(a.Standing, MaxBlocks)), a.seat()
	case Logged:
		binary.BigEndian.PutUint16(m[1:], uint16(min(a.Pending, 1<<16-1)))
		m[3], m[4] = byte(min(a.Standing, maxStanding)), a.seat()
		a.Entry.encode(m)
	case Ended:
		m[1], m[2], m[3] = byte(min(a.Standing, maxStanding)), a.seat(), byte(min(a.Sent, MaxBlocks))
		encodeEnds(m, a.Ends)
	case Taken:
		if a.Here {
			m[1] = 1
			copy(m[2:], a.Box[:])
		}
	case Listed:
		a.List.encode(m)
	}

	return m
}

// seat encodes the state of the seat.
func (a *Answer) seat() byte {
	switch {
	case !a.NoSeat:
		return 0
	case a.Price > 0:
		return byte(min(a.Price, maxPrice))
	}
	return noSeat
}

// ParseAnswer reads an answer.
func ParseAnswer(m *outfox.Message) (*Answer, error) {
	a := &Answer{Kind: Kind(m[0])}
	end, good := 1, true
	switch a.Kind {
	case Stored, Full:
	case Taken:
		end = 2
		if a.Here = m[1] == 1; a.Here {
			end += copy(a.Box[:], m[2:])
		} else if m[1] != 0 {
			return nil, ErrMalformed
		}
	case Found:
		a.Pending = int(binary.BigEndian.Uint16(m[1:]))
		copy(a.Tag[:], m[answerTag:])
		end = answerTag + TagSize
		end += copy(a.Box[:], m[end:])
		good = a.Pending <= MaxTags && a.parseSeat(m[3], m[4], MaxBlocks)
	case None:
		end = answerTag
		good = m[1] == 0 && m[2] == 0 && a.parseSeat(m[3], m[4], MaxBlocks)
	case Logged:
		a.Pending, end = int(binary.BigEndian.Uint16(m[1:])), entrySize
		a.Entry, good = decodeEntry(m)
		good = good && a.parseSeat(m[3], m[4], maxStanding)
	case Ended:
		a.Ends, end = decodeEnds(m)
		a.Sent = int(m[3])
		good = end > 0 && a.Sent <= MaxBlocks && a.parseSeat(m[1], m[2], maxStanding)
	case Listed:
		a.List = new(List)
		if end = a.List.decode(m); end == 0 {
			return nil, ErrMalformed
		}
	default:
		return nil, ErrMalformed
	}

	// The rest is zero: nothing rides in it unseen.
	if !good || !zero(m[end:]) {
		return nil, ErrMalformed
	}
	return a, nil
}

// parseSeat reads the state of the subscription in an answer to a fetch or a follow.
func (a *Answer) parseSeat(standing, seat byte, most int) bool {
	a.Standing = int(standing)
	a.NoSeat = seat != 0
	if seat != noSeat {
		a.Price = int(seat)
	}
	return a.Standing <= most && a.Price <= maxPrice && !(a.NoSeat && a.Standing > 0)
}

func zero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}
