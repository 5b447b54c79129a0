package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"starling/node/api"
)

func (a *app) searchCommand() *cobra.Command {
	var req api.SearchRequest
	cmd := &cobra.Command{
		Use:   "search WORDS...",
		Short: "Stored messages that hold all the words, newest first",
		Long: `Print stored messages that hold every word, in any case and order, the last one
also as a beginning; newest first.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Words = words(args)
			if req.Limit < 1 || req.Before < 0 {
				return usage("", "--limit is at least 1 and --before is not negative")
			}
			if err := checkText(req.Words, api.MaxText, "the words are longer than a message"); err != nil {
				return err
			}

			return a.with(cmd.Context(), func(node *connection) error {
				return a.search(cmd.Context(), node, req)
			})
		},
	}

	cmd.Flags().StringVar(&req.Contact, "in", "", "only the conversation with this `CONTACT`")
	cmd.Flags().IntVar(&req.Limit, "limit", 50, "at most `N` messages")
	cmd.Flags().Int64Var(&req.Before, "before", 0, "only messages before this `SEQ`")
	a.idsFlag(cmd)
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("in", a.completeContacts(1)))
	return a.onNode(cmd)
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
	)
	cmd := &cobra.Command{
		Use:   "history CONTACT",
		Short: "Stored messages of one conversation, oldest first",
		Long: `Print stored messages of one conversation, oldest first: the newest ones, those
before a message, or those after one.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeContacts(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 || before < 0 || after < 0 {
				return usage("", "--limit, --before and --after are not negative")
			}
			if before > 0 && after > 0 {
				return usage("", "--before and --after exclude each other")
			}

			return a.with(cmd.Context(), func(node *connection) error {
				show := func(page []api.Message) error {
					for _, m := range page {
						if err := a.print(m, func(w io.Writer) { a.message(w, m) }); err != nil {
							return err
						}
					}
					return nil
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
