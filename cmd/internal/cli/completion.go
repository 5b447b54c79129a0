package cli

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"starling/node/api"
)

// completeTimeout is how long pressing tab may take.
const completeTimeout = 500 * time.Millisecond

// completeContacts completes the first n arguments with the contacts of the node
// that runs. None is started for it: that would ask for a passphrase.
//
// A contact's name can come from the contact, and a shell that is offered
// "$(…)" may end up running it. Names that are no plain words are left out; the
// contact's id is offered in their place.
func (a *app) completeContacts(n int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const directive = cobra.ShellCompDirectiveNoFileComp
		if len(args) >= n {
			return nil, directive
		}
		var choices []cobra.Completion
		onTab(cmd.Context(), a, func(ctx context.Context, node api.Node) {
			if contacts, err := node.Contacts(ctx); err == nil {
				choices = contactChoices(contacts)
			}
		})
		return choices, directive
	}
}

// onTab asks the node that runs, if one does, for what a tab may offer.
func onTab(ctx context.Context, a *app, ask func(context.Context, api.Node)) {
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	dir, err := a.profileDir()
	if err != nil {
		return
	}
	node, closer, err := a.engine.Dial(ctx, dir)
	if err != nil {
		return
	}
	defer closer.Close()
	ask(ctx, node)
}

// completeConversations is completeContacts with the rooms and the note to self.
func completeConversations(a *app, n int) cobra.CompletionFunc {
	contacts := a.completeContacts(n)
	return func(cmd *cobra.Command, args []string, to string) ([]cobra.Completion, cobra.ShellCompDirective) {
		choices, directive := contacts(cmd, args, to)
		if choices != nil && len(args) < n {
			onTab(cmd.Context(), a, func(ctx context.Context, node api.Node) {
				if rooms, err := node.ListRooms(ctx); err == nil {
					choices = append(choices, roomChoices(rooms)...)
				}
			})
			choices = append(choices, cobra.CompletionWithDesc(api.Self, "the note to self"))
		}
		return choices, directive
	}
}

func contactChoices(contacts []api.Contact) []cobra.Completion {
	bearers := map[string]int{}
	for _, c := range contacts {
		bearers[c.Name.String()]++
	}
	choices := []cobra.Completion{}
	for _, c := range contacts {
		if name := c.Name.String(); plainWord(name) && bearers[name] == 1 {
			choices = append(choices, name)
		} else {
			choices = append(choices, cobra.CompletionWithDesc(c.ID, plainText(name)))
		}
	}
	return choices
}

func plainRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_' || r == '.'
}

// plainWord reports whether every shell takes a name for itself.
func plainWord(s string) bool {
	return s != "" && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool { return !plainRune(r) })
}

// plainText replaces characters that a shell might take for more than text.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if plainRune(r) || r == ' ' {
			return r
		}
		return '?'
	}, s)
}

// completeThen completes contacts and then one of a few words.
func (a *app) completeThen(n int, words ...cobra.Completion) cobra.CompletionFunc {
	contacts := a.completeContacts(n)
	return func(cmd *cobra.Command, args []string, to string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == n {
			return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
		}
		return contacts(cmd, args, to)
	}
}
