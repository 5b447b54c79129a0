package linear

import (
	"context"
	"strconv"

	"starling/tui/catalogue"
	"starling/tui/chatview"
	"starling/tui/link"
	"starling/tui/words"
)

// openLink reads an address of a message out, with what in it deceives, and opens it if
// the person says so.
func (p *prompt) openLink(ctx context.Context, args string) error {
	m, rest, err := p.numberedMessage(args)
	if err != nil {
		return err
	}
	all := chatview.Addresses(m.Text.String())
	if len(all) == 0 || m.Deleted {
		p.say("There is no web address in this message.")
		return nil
	}

	n := 1
	if rest != "" {
		n, err = strconv.Atoi(rest)
	}
	if err != nil || n < 1 || n > len(all) {
		return p.fault(catalogue.Mark("this message has no address of that number"), catalogue.Mark("Type /link and the number of the message."))
	}
	if len(all) > 1 {
		p.say("Address %d of %d; type the number of another behind that of the message.", n, len(all))
	}

	// Read out in full before it is opened, with warnings in words: nobody here sees a mark.
	l, err := link.Parse(all[n-1])
	if err != nil {
		return p.fault(p.t(err.Error()), "")
	}
	p.say("It leads to %s: %s", l.Host, l.Target)
	for _, found := range words.Findings(p.th, &l) {
		p.say("Warning: %s", found)
	}
	sure, err := p.sure(p.t("Whoever runs the other end sees your IP address, past all relays, and that you opened it. Is it to be opened in your browser?"))
	if err != nil || !sure {
		return err
	}
	return p.done(p.opts.OpenAddress(ctx, l.Target), "Handed to your browser.")
}
