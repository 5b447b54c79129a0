package cli

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"starling/node/api"
)

// A verification is the comparison of a safety number, with a contact or with a member of a
// room.
type verification struct {
	yes, no, drawQR bool
	code, number    string
	member          bool
}

func (v *verification) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&v.yes, "yes", false, "record that the numbers matched")
	cmd.Flags().BoolVar(&v.no, "no", false, "record that they are not verified")
	cmd.Flags().BoolVar(&v.drawQR, "qr", false, "draw it as a QR code too")
	cmd.Flags().StringVar(&v.code, "code", "", "the `TEXT` of your contact's QR code")
	cmd.Flags().StringVar(&v.number, "number", "", "the 60 `DIGITS` that your contact sees")
}

func (v *verification) check() error {
	if v.yes && v.no {
		return usage("", "--yes and --no exclude each other")
	}
	if (v.yes || v.no) && v.code+v.number != "" || v.code != "" && v.number != "" {
		return usage("", "give one of --yes, --no, --code and --number")
	}
	return nil
}

// run records what the flags say and prints the number. look returns it, and set records
// the one that was seen.
func (v *verification) run(ctx context.Context, a *app, look func(context.Context) (api.Verification, error), set func(context.Context, string) error) error {
	if v.code+v.number != "" || v.yes {
		here, err := look(ctx)
		if err != nil {
			return err
		}
		if !v.yes && !v.matches(&here) {
			return v.mismatch()
		}
		if err := set(ctx, here.SafetyNumber); err != nil {
			return err
		}
	}
	if v.no {
		if err := set(ctx, ""); err != nil {
			return err
		}
	}

	now, err := look(ctx)
	if err != nil {
		return err
	}
	return a.print(now, func(w io.Writer) { v.show(w, a, &now) })
}

// mismatch is the error of another number.
func (v *verification) mismatch() error {
	if v.member {
		return &api.Error{Code: codeMismatch, Message: "this is not the safety number of this member and you: somebody else may be in the room under their name, or one of you has come in again",
			Hint: "compare again in person; if it still differs, ask the owner or an admin, on another way, to remove them"}
	}
	return &api.Error{Code: codeMismatch, Message: "this is not the safety number of this conversation: somebody may sit between you, or one of you has a new session",
		Hint: "compare again in person; until then, do not take this contact for verified"}
}

// matches reports whether both sides see the same.
func (v *verification) matches(here *api.Verification) bool {
	same := func(a, b string) bool {
		squeeze := func(s string) []byte { return []byte(strings.ToLower(strings.Join(strings.Fields(s), ""))) }
		return subtle.ConstantTimeCompare(squeeze(a), squeeze(b)) == 1
	}
	return (v.code == "" || same(v.code, here.Code)) && (v.number == "" || same(v.number, here.SafetyNumber))
}

func (v *verification) show(w io.Writer, a *app, now *api.Verification) {
	if v.drawQR {
		if err := qrCode(w, now.Code, a.outTTY && a.getenv("TERM") != "dumb"); err != nil {
			fmt.Fprintf(a.err, "starling: %v\n", err)
		}
		fmt.Fprintln(w, now.Code)
	}

	groups := strings.Fields(now.SafetyNumber)
	for i := 0; i < len(groups); i += 4 {
		fmt.Fprintln(w, strings.Join(groups[i:min(i+4, len(groups))], " "))
	}
	if now.Verified {
		fmt.Fprintln(w, "verified")
	} else {
		fmt.Fprintln(w, "not verified: compare this number with your contact's, then run this again with --yes")
	}
}
