package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"starling/node/api"
	"starling/node/api/query"
)

// filters are the flags of a search that narrow it.
type filters struct{ in, from, before, after, on, kind string }

func (a *app) searchCommand() *cobra.Command {
	var f filters
	limit := 50
	cmd := &cobra.Command{
		Use:   "search [WORDS...]",
		Short: "Stored messages that hold all the words, newest first",
		Long: `Print stored messages that hold every word, in any case and order, the last one
also as a beginning; newest first. Filters narrow the search, as flags or among the
words: from:Bob, from:me, in:Bob, on:2026-11-22, before:2026-11, after:7d,
kind:text|picture|file|link. A filter is enough without words.

A DATE is 2026-11-22, 22.11.2026, 2026-11, 2026, today, yesterday, or 7d for so long
ago; --before and --after leave out the day itself.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := f.request(args, time.Now())
			if err != nil {
				return err
			}
			if req.Limit = limit; limit < 1 {
				return usage("", "--limit is at least 1")
			}

			// A filter is a search by itself.
			narrow := req.From != "" || req.Kind != "" || !req.Since.IsZero() || !req.Until.IsZero()
			if err := checkText(req.Words, api.MaxText, "the words are longer than a message"); err != nil && (req.Words != "" || !narrow) {
				return err
			}

			return a.with(cmd.Context(), func(node *connection) error {
				return a.search(cmd.Context(), node, req)
			})
		},
	}

	flags := cmd.Flags()
	flags.StringVar(&f.in, "in", "", "only the conversation with this `CONTACT`")
	flags.StringVar(&f.from, "from", "", "only what this `CONTACT` wrote, or me")
	flags.StringVar(&f.before, "before", "", "only messages before this `DATE`, or before a SEQ")
	flags.StringVar(&f.after, "after", "", "only messages after this `DATE`")
	flags.StringVar(&f.on, "on", "", "only messages of this `DATE`")
	flags.StringVar(&f.kind, "kind", "", "only messages of this `KIND`: text, picture, file, link")
	flags.IntVar(&limit, "limit", limit, "at most `N` messages")
	a.idsFlag(cmd)
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("in", completeConversations(a, 1)))
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("from", a.completeContacts(1)))
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"text", "picture", "file", "link"}, cobra.ShellCompDirectiveNoFileComp)))
	return a.onNode(cmd)
}

// request is the search for words, with the filters of the flags and those among the
// words.
func (f filters) request(args []string, now time.Time) (api.SearchRequest, error) {
	// Quoted: a word with a space in it is one word of the shell.
	for i := range args {
		args[i] = query.Quoted(args[i])
	}
	req, err := query.Parse(words(args), now)
	if err != nil {
		return req, err
	}
	if f.in != "" {
		req.Contact = f.in
	}
	if f.from != "" {
		req.From = f.from
	}
	if f.kind != "" {
		if req.Kind, err = query.ParseKind(f.kind); err != nil {
			return req, err
		}
	}

	// A number behind --before is a place in the order of messages: a year has a month,
	// or stands behind --on.
	if seq, err := strconv.ParseInt(f.before, 10, 64); err == nil {
		if seq < 0 {
			return req, usage("", "--before is not negative")
		}
		req.Before, f.before = seq, ""
	}
	for _, date := range []struct{ key, value string }{{query.On, f.on}, {query.Before, f.before}, {query.After, f.after}} {
		if date.value == "" {
			continue
		}
		if err := query.Narrow(&req, date.key, date.value, now); err != nil {
			return req, usage(query.HintDate, "--%s: %q is not a date", date.key, date.value)
		}
	}
	if strings.TrimSpace(req.Words) == "" && f == (filters{}) && req == (api.SearchRequest{}) {
		return req, usage("give a word, or a filter such as --from me", "there is nothing to search for")
	}
	return req, nil
}

// search prints the hits, page by page, each message as it comes.
func (a *app) search(ctx context.Context, node api.Node, req api.SearchRequest) error {
	names, _, err := people(ctx, node, nil)
	if err != nil {
		return err
	}

	found := 0
	for left := req.Limit; left > 0; {
		req.Limit = min(left, historyPage)
		page, err := node.Search(ctx, req)
		if err != nil {
			return err
		}

		for _, m := range page {
			err := a.print(m, func(w io.Writer) {
				if req.Contact == "" {
					fmt.Fprintf(w, "[%s] ", names[m.Conversation])
				}
				a.message(w, m)
			})
			if err != nil {
				return err
			}
		}

		found += len(page)
		left -= len(page)
		if len(page) < req.Limit {
			break
		}
		req.Before = page[len(page)-1].Sequence
	}

	if found == 0 && !a.json {
		fmt.Fprintln(a.err, "Nothing found.")
	}
	return nil
}

func (a *app) historyCommand() *cobra.Command {
	var (
		limit         int
		before, after int64
		ahead         bool
	)
	cmd := &cobra.Command{
		Use:   "history CONTACT",
		Short: "Stored messages of one conversation, oldest first",
		Long: `Print stored messages of one conversation, oldest first: the newest ones, those
before a message, or those after one; with --ahead those of a room that came ahead of others,
which are still being fetched.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeConversations(a, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 || before < 0 || after < 0 {
				return usage("", "--limit, --before and --after are not negative")
			}
			if before > 0 && after > 0 {
				return usage("", "--before and --after exclude each other")
			}
			if ahead && (before > 0 || after > 0) {
				return usage("", "what came ahead has no place yet: --ahead goes without --before and --after")
			}

			return a.with(cmd.Context(), func(node *connection) error {
				// A page at a time, so that a reader that closes the pipe ends it.
				show := func(page []api.Message) error {
					for _, m := range page {
						if err := a.print(m, func(w io.Writer) { a.message(w, m) }); err != nil {
							return err
						}
					}
					return nil
				}

				if ahead {
					all, err := node.History(cmd.Context(), api.HistoryRequest{Contact: args[0], Ahead: true})
					if err != nil {
						return err
					}
					return show(all)
				}
				if after > 0 {
					return onward(cmd.Context(), node, args[0], after, limit, show)
				}
				messages, err := history(cmd.Context(), node, args[0], before, limit)
				if err != nil {
					return err
				}
				return show(messages)
			})
		},
	}

	cmd.Flags().IntVar(&limit, "limit", 100, "the newest `N` messages, or the first ones with --after; 0 means all")
	cmd.Flags().Int64Var(&before, "before", 0, "only messages before this `SEQ`")
	cmd.Flags().Int64Var(&after, "after", 0, "only messages after this `SEQ`")
	cmd.Flags().BoolVar(&ahead, "ahead", false, "what came ahead of older messages, after an absence from a room")
	a.idsFlag(cmd)
	return a.onNode(cmd)
}

// historyPage is how many messages one call asks for; the api's limit is 1,000.
const historyPage = 500

// history reads the newest limit messages before a sequence number, oldest
// first, in pages. Limit 0 reads all of them.
func history(ctx context.Context, node api.Node, contact string, before int64, limit int) ([]api.Message, error) {
	var pages [][]api.Message
	for left := limit; limit == 0 || left > 0; {
		ask := historyPage
		if limit > 0 {
			ask = min(left, historyPage)
		}
		page, err := node.History(ctx, api.HistoryRequest{Contact: contact, Before: before, Limit: ask})
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}

		pages = append(pages, page)
		before = page[0].Sequence
		left -= len(page)
		if len(page) < ask {
			break
		}
	}

	// The newest page came first.
	var all []api.Message
	for i := len(pages) - 1; i >= 0; i-- {
		all = append(all, pages[i]...)
	}
	return all, nil
}

// onward shows up to limit messages after a sequence number, all with limit 0.
func onward(ctx context.Context, node api.Node, contact string, after int64, limit int, show func([]api.Message) error) error {
	for left := limit; limit == 0 || left > 0; {
		ask := historyPage
		if limit > 0 {
			ask = min(left, historyPage)
		}
		page, err := node.History(ctx, api.HistoryRequest{Contact: contact, After: after, Limit: ask})
		if err != nil || len(page) == 0 {
			return err
		}
		if err := show(page); err != nil {
			return err
		}
		after = page[len(page)-1].Sequence
		left -= len(page)
	}
	return nil
}
