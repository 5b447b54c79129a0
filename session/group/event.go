package group

import "crypto/ed25519"

// Event is something that the caller shows or acts upon.
type Event interface{ event() }

type (
	// Said is a whole content of a member. After has the causes: the author's own cell
	// before it, if any, and the newest of others that they had seen.
	Said struct {
		Member  ID
		ID      [16]byte // chosen by the author
		Content []byte
		Ref     Ref // of its last cell
		After   []Ref
		Number  uint32
	}

	// Joined is somebody new.
	Joined struct {
		Member, By ID
		Role       Role
	}
	// Left is somebody that left by themselves.
	Left struct{ Member ID }
	// RoleChanged is another role; Nobody is a removal, or a ban.
	RoleChanged struct {
		Member, By ID
		Role       Role
		Banned     bool
	}
	// Removed: we are not in the room any more.
	Removed struct {
		By     ID
		Banned bool
	}
	// SettingsChanged tells of other settings.
	SettingsChanged struct{ By ID }

	// Asked is somebody at the door.
	Asked struct{ Request Request }
	// Offered is the owner's offer of the room to us, to be accepted by AcceptPact.
	Offered struct {
		By   ID
		Keep Role
	}

	// Forked is the proof that a member has signed two things under one number.
	Forked struct {
		Member ID
		A, B   Proof
	}
	// Gap is cells of a member that were skipped. They may still come.
	Gap struct {
		Member   ID
		From, To uint32
	}
	// Returned is a member back from a restore, or from a long absence.
	Returned struct{ Member ID }
	// Unheard: back from a copy, or an absence, of more than 14 days, without the word of anybody. With other keys since then
	// nobody reads us.
	Unheard struct{}
	// LeftOut: a rekey has no key for a member of the room.
	LeftOut struct{ Member, By ID }
	// Flooded is a lane whose writers meet garbage.
	Flooded struct{ Lane uint8 }
	// Reread names logs of which something was lost on its way here, or dropped while it waited. They are to be given to
	// Take again from their beginning: the mailboxes have it still.
	Reread struct{ Logs [][16]byte }
	// HeadsChanged: the keys are others; contents that met ErrNotYet may go now.
	HeadsChanged struct{}
)

// Proof is the signed part of a message: enough for anybody with the author's key.
type Proof struct {
	Group     [32]byte
	List      [8]byte
	Sender    ID
	Nonce     [16]byte
	Number    uint32
	Body      [32]byte // hash
	Signature [ed25519.SignatureSize]byte
}

func (Said) event()            {}
func (Joined) event()          {}
func (Left) event()            {}
func (RoleChanged) event()     {}
func (Removed) event()         {}
func (SettingsChanged) event() {}
func (Asked) event()           {}
func (Offered) event()         {}
func (Forked) event()          {}
func (Gap) event()             {}
func (Returned) event()        {}
func (Unheard) event()         {}
func (LeftOut) event()         {}
func (Flooded) event()         {}
func (Reread) event()          {}
func (HeadsChanged) event()    {}
