package apitest

import (
	"testing"
	"time"

	"starling/node/api"
)

func init() {
	for name, test := range map[string]func(*testing.T, *Pair){
		"open invites":      openInvites,
		"no bridges":        noBridges,
		"lock, passphrases": lockAndPassphrases,
	} {
		suite[name] = test
	}
}

// openInvites: an invite is listed until it is withdrawn.
func openInvites(t *testing.T, p *Pair) {
	ctx := t.Context()
	if all, err := p.Ada.Invites(ctx); err != nil || all == nil || len(all) != 0 {
		t.Errorf("before the first: %v, %v", all, err)
	}
	made, err := p.Ada.Invite(ctx, api.InviteRequest{Name: "Eve", Expires: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	all, err := p.Ada.Invites(ctx)
	if err != nil || len(all) != 1 || all[0].ID != made.ID || all[0].Link == "" || all[0].Name.String() != "Eve" || !all[0].Expires.Equal(made.Expires) {
		t.Errorf("%v, %v; made %v", all, err, made)
	}

	if err := p.Ada.RevokeInvite(ctx, made.ID); err != nil {
		t.Fatal(err)
	}
	if all, err := p.Ada.Invites(ctx); err != nil || len(all) != 0 {
		t.Errorf("after the last: %v, %v", all, err)
	}
}

// noBridges: a profile has none at first, and takes nothing else for one.
func noBridges(t *testing.T, p *Pair) {
	ctx := t.Context()
	if all, err := p.Ada.ListBridges(ctx); err != nil || all == nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	if own, err := p.Ada.OwnBridge(ctx); err != nil || own.State != api.OwnBridgeOff {
		t.Errorf("%v, %v", own, err)
	}
	wantCode(t, "an invite for a bridge", second(p.Ada.AddBridge(ctx, api.BridgeRequest{Link: "starling:abcd"})), api.CodeUsage)
	for _, bridge := range []string{"", "12D3nobody"} {
		wantCode(t, "one that is not there", p.Ada.RemoveBridge(ctx, bridge), api.CodeNoBridge)
	}
}

// lockAndPassphrases: Unlock ends Lock, and the old passphrase is needed for another.
func lockAndPassphrases(t *testing.T, p *Pair) {
	ctx := t.Context()
	if err := p.Ada.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Ada.Unlock(ctx, p.Passphrase); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Ada.Status(ctx); err != nil {
		t.Errorf("after the unlocking: %v", err)
	}
	if err := p.Ada.TryOthers(ctx); err != nil {
		t.Error(err)
	}

	const other = "otter velvet canyon marble"
	wantCode(t, "by a wrong one", p.Ada.ChangePassphrase(ctx, api.PassphraseRequest{Old: "wrong", New: other}), api.CodeWrongPassphrase)
	wantCode(t, "by none", p.Ada.ChangePassphrase(ctx, api.PassphraseRequest{New: other}), api.CodeWrongPassphrase)
	if err := p.Ada.ChangePassphrase(ctx, api.PassphraseRequest{Old: p.Passphrase, New: other}); err != nil {
		t.Error(err)
	}
	wantCode(t, "unlocked with the old one", p.Ada.Unlock(ctx, p.Passphrase), api.CodeWrongPassphrase)
}
