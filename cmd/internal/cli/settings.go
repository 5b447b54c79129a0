package cli

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"starling/node/api"
)

func (a *app) settingsCommand() *cobra.Command {
	return a.onNode(&cobra.Command{
		Use:   "settings [NAME VALUE]...",
		Short: "Your name, what you tell contacts, notifications, lock, look",
		Long: `Print the settings of the profile, or change some of them:

  typing         on, off    tell contacts that you are writing
  read-receipts  on, off    tell contacts what you have read
  notify         none, hidden, name, text    how much a notification says
  lock-after     5m, 1h, off    lock the screen after so long without a key
  name           NAME           what contacts are told that you are called
  language       en, de, ru, system              of the app
  theme          auto, dark, light, 16           the look of the app
  unread-title   on, off        how many are unread, in the window's title
  bridges-only   on, off        dial bridges and nothing else; see starling bridge
  proxy          socks5://ADDRESS:PORT, off      dial over it, and nothing beside it
  bridge         on, off, PORT, ADDRESS:PORT     be a bridge for friends: starling bridge own

What is told to contacts is off unless you choose it: it says when you are there.`,
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

// setting reads one name and value into a change.
func setting(change *api.SettingsChange, name, value string) error {
	onOff := func(field **bool) error {
		if value != "on" && value != "off" {
			return usage("use on or off", "%s cannot be %s", name, own(value))
		}
		on := value == "on"
		*field = &on
		return nil
	}

	switch name {
	case "typing":
		return onOff(&change.Typing)
	case "read-receipts":
		return onOff(&change.ReadReceipts)
	case "notify":
		level, err := notifyLevel(value, false)
		change.Notify = &level
		return err
	case "lock-after":
		seconds := 0
		if value != "off" {
			d, err := parseDuration(name, value)
			if err != nil {
				return err
			}
			if d < time.Second {
				return usage("use 5m, 1h or off", "lock-after is at least a second")
			}
			seconds = int(d / time.Second)
		}
		change.LockAfter = &seconds
		return nil
	case "name":
		change.Name = &value
		return nil
	case "language":
		if value == "system" {
			value = ""
		}
		change.Language = &value
		return nil
	case "theme":
		change.Theme = &value
		return nil
	case "unread-title":
		return onOff(&change.UnreadTitle)
	case "bridges-only":
		return onOff(&change.BridgesOnly)
	case "proxy":
		if value == "off" {
			value = ""
		}
		change.Proxy = &value
		return nil
	case "bridge":
		if value == "off" {
			value = ""
		}
		change.Bridge = &value
		return nil
	}
	return usage("there are typing, read-receipts, notify, lock-after, name, language, theme, unread-title, bridges-only, proxy and bridge", "there is no setting %s", own(name))
}

func settingsWords(w io.Writer, s api.Settings) {
	onOff := func(on bool) string {
		if on {
			return "on"
		}
		return "off"
	}
	lock := "off"
	if s.LockAfter > 0 {
		lock = lasting(s.LockAfter)
	}
	fmt.Fprintf(w, "typing         %s\n", onOff(s.Typing))
	fmt.Fprintf(w, "read-receipts  %s\n", onOff(s.ReadReceipts))
	fmt.Fprintf(w, "notify         %s\n", own(string(s.Notify)))
	fmt.Fprintf(w, "lock-after     %s\n", lock)
	fmt.Fprintf(w, "name           %s\n", oneLine(s.Name))
	fmt.Fprintf(w, "language       %s\n", own(cmp.Or(s.Language, "system")))
	fmt.Fprintf(w, "theme          %s\n", own(s.Theme))
	fmt.Fprintf(w, "unread-title   %s\n", onOff(s.UnreadTitle))
	fmt.Fprintf(w, "bridges-only   %s\n", onOff(s.BridgesOnly))
	fmt.Fprintf(w, "proxy          %s\n", own(cmp.Or(s.Proxy, "off")))
	fmt.Fprintf(w, "bridge         %s\n", own(cmp.Or(s.Bridge, "off")))
}
