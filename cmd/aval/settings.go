package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/policy"
	"aval/assets"
	"aval/cmd/internal/command"
)

func (a *app) settingsCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "settings", Short: "Your own setting for Session Insights", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	show := func(cmd *cobra.Command, s ipc.SettingsResult) error {
		var st ipc.Status
		if err := a.call(cmd.Context(), ipc.MethodStatus, nil, &st); err != nil {
			return err
		}
		x := settings{s, st.Required, st.Company}
		return a.print(x, x.text)
	}
	cmd.AddCommand(&cobra.Command{
		Use: "get", Short: "Show your setting and what is in force", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s ipc.SettingsResult
			if err := a.call(cmd.Context(), ipc.MethodSettingsGet, nil, &s); err != nil {
				return err
			}
			return show(cmd, s)
		},
	}, &cobra.Command{
		Use:   "set session-insights|record|language VALUE",
		Short: "Choose what happens when a session may be recorded, what of it, and the language",
		Long: `session-insights allowed|denied|after-confirmation|default
allowed: sessions are recorded without asking; you see the bar and can stop.
denied: no session is recorded; support goes on.
after-confirmation: you decide at the start of each session.
default: no choice of your own; the policy's default, or after-confirmation.

record GROUP,GROUP...|all: what may be recorded at most: windows, commands, files,
system, chat. It counts at once, also for what is being recorded; a policy that
your organisation enforces stands above it.

language LANG|default: of the windows, the question and the bar.`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeSetting,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := settingsSet(args[0], args[1])
			if err != nil {
				return usageError{err}
			}
			var s ipc.SettingsResult
			if err := a.call(cmd.Context(), ipc.MethodSettingsSet, set, &s); err != nil {
				return err
			}
			return show(cmd, s)
		},
	})
	return cmd
}

// settings is what settings get and set print.
type settings struct {
	ipc.SettingsResult
	// Required: the company has sessions recorded whatever its people choose.
	Required bool `json:"required"`
	company  string
}

func (s settings) text(w io.Writer) {
	fmt.Fprintf(w, "session-insights: %s\n", settingWord(s.SessionInsights))
	fmt.Fprintf(w, "in force:         %s (%s)\n", s.Effective, originWords[s.Origin])
	if s.Required {
		fmt.Fprintf(w, "but:              a policy of %s has sessions on this computer recorded whatever is chosen here; you are told, and can object\n", command.Printable(s.company))
	}
	for _, g := range s.Groups {
		why := ""
		switch {
		case g.Barred:
			why = " (the policy does not let it be recorded)"
		case !g.Own:
			why = " (your choice)"
		}
		fmt.Fprintf(w, "record %-10s %s%s\n", string(g.Group)+":", map[bool]string{true: "may be recorded", false: "is not recorded"}[g.Record], why)
	}
	language := s.Language
	if language == "" {
		language = "that of the desktop"
	}
	fmt.Fprintf(w, "language:         %s\n", language)
}

// settingsSet reads what is to be set.
func settingsSet(name, value string) (set ipc.SettingsSet, err error) {
	switch name {
	case "session-insights":
		set.SessionInsights = consent.AccessControl(value)
		switch set.SessionInsights {
		case "default":
			set.SessionInsights = consent.AccessUnset
		case consent.AccessAllowed, consent.AccessDenied, consent.AccessAfterConfirmation:
		default:
			return set, fmt.Errorf("session-insights cannot be %q: allowed, denied, after-confirmation or default", value)
		}
	case "record":
		if value == "all" {
			set.Record = event.Groups
			return set, nil
		}
		for word := range strings.SplitSeq(value, ",") {
			g := event.Group(strings.TrimSpace(word))
			if !slices.Contains(event.Groups, g) {
				return set, fmt.Errorf("there is no group %q: windows, commands, files, system, chat or all; to have nothing recorded: session-insights denied", word)
			}
			set.Record = append(set.Record, g)
		}
	case "language":
		if set.Language = value; value != "default" && !slices.Contains(assets.Langs(), value) {
			return set, fmt.Errorf("there is no language %q: %s or default", value, strings.Join(assets.Langs(), ", "))
		}
	default:
		return set, fmt.Errorf("there is no setting %q: session-insights, record or language", name)
	}
	return set, nil
}

func completeSetting(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return []string{"session-insights", "record", "language"}, cobra.ShellCompDirectiveNoFileComp
	case 1:
		switch args[0] {
		case "record":
			return []string{"all", "windows", "commands", "files", "system", "chat"}, cobra.ShellCompDirectiveNoFileComp
		case "language":
			return append(assets.Langs(), "default"), cobra.ShellCompDirectiveNoFileComp
		}
		return []string{"allowed", "denied", "after-confirmation", "default"}, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func settingWord(v consent.AccessControl) string {
	if v == consent.AccessUnset {
		return "default"
	}
	return string(v)
}

var originWords = map[string]string{
	"setting":           "your choice",
	"policy":            "recommended by your organisation's policy",
	"enforced-policy":   "set by your organisation's policy, cannot be changed",
	"default":           "nobody has chosen",
	"setting-corrupt":   "your setting is damaged; choose again",
	"policy-unreadable": "the policy on this computer cannot be read; see aval policy show",
}

func (a *app) policyCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "The policy of this computer", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(&cobra.Command{
		Use: "show", Short: "Show every value in force, where it comes from, what it beat, and how old it is", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var p ipc.PolicyResult
			if err := a.call(cmd.Context(), ipc.MethodPolicyShow, nil, &p); err != nil {
				return err
			}
			return a.print(p, func(w io.Writer) {
				fmt.Fprint(w, p.Text)
				policySources(w, p, time.Now())
			})
		},
	}, a.policyExplain(), &cobra.Command{
		Use: "validate FILE", Short: "Check a policy file and list every problem; needs no service", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			raw, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("read policy file: %w", err)
			}
			problems := policy.Validate(args[0], raw)
			if len(problems) == 0 {
				return a.print(map[string]any{"valid": true, "problems": []string{}}, func(w io.Writer) { fmt.Fprintln(w, args[0]+" is valid.") })
			}
			if a.json {
				if err := json.NewEncoder(a.out).Encode(map[string]any{"valid": false, "problems": problems}); err != nil {
					return err
				}
			} else {
				for _, p := range problems {
					fmt.Fprintln(a.out, p)
				}
			}
			return fmt.Errorf("%s has %d problem(s); while it lies in the policy folder nothing is recorded", args[0], len(problems))
		},
	})
	return cmd
}
