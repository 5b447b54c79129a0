package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"starling/node/api"
)

func (a *app) settingsCommand() *cobra.Command {
	return a.onNode(&cobra.Command{
		Use:   "settings [NAME VALUE]...",
		Short: "Your name, what you tell contacts, notifications, lock, look",
		Long: "Print the settings of the profile, or change some of them:\n\n" + settingsHelp() +
			"\nWhat is told to contacts is off unless you choose it: it says when you are there.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args)%2 != 0 {
				return usage("for example: starling settings notify name", "%s has no value", own(args[len(args)-1]))
			}
			return nil
		},
		ValidArgsFunction: completeSettings,
		RunE: func(cmd *cobra.Command, args []string) error {
			var change api.SettingsChange
			for i := 0; i < len(args); i += 2 {
				if err := setting(&change, args[i], args[i+1]); err != nil {
					return err
				}
			}

			return a.with(cmd.Context(), func(node *connection) error {
				settings, err := node.Settings(cmd.Context())
				if len(args) > 0 {
					settings, err = node.ChangeSettings(cmd.Context(), change)
				}
				if err != nil {
					return err
				}

				if change.Name != nil {
					a.goesLater(cmd.Context(), node, "")
				}
				if change.Bridge != nil && settings.Bridge != "" {
					fmt.Fprintln(a.err, "This computer is a bridge for friends while the app runs, or starling node. Its link: starling bridge own")
				}
				return a.print(settings, func(w io.Writer) { settingsWords(w, settings) })
			})
		},
	})
}

// An ownSetting is a setting as people type and read it: a row is all that the command,
// its help and its completion know of one.
type ownSetting struct {
	name    string
	values  []cobra.Completion // to choose from
	written string             // the values in the help, if these are not all
	does    string
	read    func(c *api.SettingsChange, value string) error
	show    func(s *api.Settings) string
}

// ownSettings is the table, in the order of the help.
var ownSettings = []ownSetting{
	onOff("typing", "tell contacts that you are writing",
		func(c *api.SettingsChange) **bool { return &c.Typing }, func(s *api.Settings) bool { return s.Typing }),
	onOff("read-receipts", "tell contacts what you have read",
		func(c *api.SettingsChange) **bool { return &c.ReadReceipts }, func(s *api.Settings) bool { return s.ReadReceipts }),
	{"notify", []cobra.Completion{"none", "hidden", "name", "text"}, "", "how much a notification says",
		func(c *api.SettingsChange, value string) error {
			level, err := notifyLevel(value, false)
			c.Notify = &level
			return err
		}, func(s *api.Settings) string { return string(s.Notify) }},
	{"lock-after", []cobra.Completion{"1m", "5m", "15m", "1h", "off"}, "5m, 1h, off", "lock the screen after so long without a key",
		readLock, func(s *api.Settings) string {
			if s.LockAfter > 0 {
				return lasting(s.LockAfter)
			}
			return "off"
		}},
	{"name", nil, "NAME", "what contacts are told that you are called",
		func(c *api.SettingsChange, value string) error { c.Name = &value; return nil }, nil},
	word("language", "system", append(slices.Clone(api.Languages), "system"), "", "of the app",
		func(c *api.SettingsChange) **string { return &c.Language }, func(s *api.Settings) string { return s.Language }),
	word("theme", "", api.Themes, "", "the look of the app",
		func(c *api.SettingsChange) **string { return &c.Theme }, func(s *api.Settings) string { return s.Theme }),
	onOff("unread-title", "how many are unread, in the window's title",
		func(c *api.SettingsChange) **bool { return &c.UnreadTitle }, func(s *api.Settings) bool { return s.UnreadTitle }),
	onOff("bridges-only", "dial bridges and nothing else; see starling bridge",
		func(c *api.SettingsChange) **bool { return &c.BridgesOnly }, func(s *api.Settings) bool { return s.BridgesOnly }),
	word("proxy", "off", []cobra.Completion{"socks5://127.0.0.1:9050", "off"}, "socks5://ADDRESS:PORT, off", "dial over it, and nothing beside it",
		func(c *api.SettingsChange) **string { return &c.Proxy }, func(s *api.Settings) string { return s.Proxy }),
	word("bridge", "off", []cobra.Completion{"on", "off"}, "on, off, PORT, ADDRESS:PORT", "be a bridge for friends: starling bridge own",
		func(c *api.SettingsChange) **string { return &c.Bridge }, func(s *api.Settings) string { return s.Bridge }),
}

// onOff is a setting that is on or off.
func onOff(name, does string, field func(*api.SettingsChange) **bool, now func(*api.Settings) bool) ownSetting {
	return ownSetting{name, []cobra.Completion{"on", "off"}, "", does,
		func(c *api.SettingsChange, value string) error {
			if value != "on" && value != "off" {
				return usage("use on or off", "%s cannot be %s", name, own(value))
			}
			*field(c) = new(value == "on")
			return nil
		},
		func(s *api.Settings) string {
			if now(s) {
				return "on"
			}
			return "off"
		}}
}

// word is a setting that the node checks. One word may stand for the empty one.
func word(name, empty string, values []cobra.Completion, written, does string, field func(*api.SettingsChange) **string, now func(*api.Settings) string) ownSetting {
	return ownSetting{name, values, written, does,
		func(c *api.SettingsChange, value string) error {
			if value == empty {
				value = ""
			}
			*field(c) = &value
			return nil
		},
		func(s *api.Settings) string { return cmp.Or(now(s), empty) }}
}

// readLock reads after how long the screen locks.
func readLock(c *api.SettingsChange, value string) error {
	seconds := 0
	if value != "off" {
		d, err := parseDuration("lock-after", value)
		if err != nil {
			return err
		}
		if d < time.Second {
			return usage("use 5m, 1h or off", "lock-after is at least a second")
		}
		seconds = int(d / time.Second)
	}
	c.LockAfter = &seconds
	return nil
}

// setting reads one name and value into a change.
func setting(change *api.SettingsChange, name, value string) error {
	var names []string
	for _, s := range ownSettings {
		if s.name == name {
			return s.read(change, value)
		}
		names = append(names, s.name)
	}
	last := len(names) - 1
	return usage("there are "+strings.Join(names[:last], ", ")+" and "+names[last], "there is no setting %s", own(name))
}

// settingsHelp has a line for each setting.
func settingsHelp() string {
	var b strings.Builder
	for _, s := range ownSettings {
		fmt.Fprintf(&b, "  %-13s  %-26s  %s\n", s.name, cmp.Or(s.written, strings.Join(s.values, ", ")), s.does)
	}
	return b.String()
}

func settingsWords(w io.Writer, s api.Settings) {
	for _, row := range ownSettings {
		if row.show == nil {
			fmt.Fprintf(w, "%-13s  %s\n", row.name, oneLine(s.Name))
			continue
		}
		fmt.Fprintf(w, "%-13s  %s\n", row.name, own(row.show(&s)))
	}
}

func completeSettings(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	for _, s := range ownSettings {
		if len(args)%2 == 1 && s.name == args[len(args)-1] {
			return s.values, cobra.ShellCompDirectiveNoFileComp
		}
		names = append(names, s.name)
	}
	if len(args)%2 == 1 {
		names = nil
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
