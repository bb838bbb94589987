// Package settingslist is the choice for Session Insights in the desktop's own
// list dialog, where no window of ours can be shown, or none that a screen reader
// can read.
//
// The one rule that must not be broken: it says and does what the settings window
// says and does. What is enforced is told, with its reason, and not offered.
package settingslist

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/viewmodel"
)

// Row is one line of the list.
type Row = struct {
	Name   string
	Chosen bool
}

// Dialog is the desktop's dialog program.
type Dialog interface {
	// Choose returns the row that was chosen, -1: none.
	Choose(ctx context.Context, title, text, ok, cancel string, rows []Row) (int, error)
	// Tell shows a text until it is closed.
	Tell(ctx context.Context, title, text, ok string) error
}

// Call is one request to the service.
type Call func(ctx context.Context, m ipc.Method, params, result any) error

// answerWithin is how long the service may take for one step.
const answerWithin = 5 * time.Second

// Run shows the choice until it was made or left.
func Run(ctx context.Context, cat *assets.Catalog, zone *time.Location, call Call, d Dialog) error {
	title := cat.T("settings.insights", nil)
	tell := func(text string) error { return d.Tell(ctx, title, text, cat.T("settings.list.close", nil)) }
	state, err := load(ctx, call)
	if err != nil {
		what := "app.gone"
		if errors.As(err, new(*ipc.Error)) { // it does answer
			what = "settings.unread"
		}
		return errors.Join(err, tell(cat.T(what, nil)+" "+cat.T(what+".code", nil)))
	}
	s := viewmodel.NewSettings(state, cat, zone)
	text := []string{cat.T("settings.insights.what", nil), "", s.Force, ""}
	var rows []Row
	for _, c := range s.Choices {
		text = append(text, c.Name+": "+c.Meaning)
		name := c.Name
		if c.Chosen {
			name = cat.T("settings.list.now", assets.Args{"value": c.Name})
		}
		rows = append(rows, Row{Name: name, Chosen: c.Chosen})
	}
	if s.Greyed {
		text = append(text, "")
		return tell(strings.Join(append(text, s.Layers...), "\n"))
	}
	n, err := d.Choose(ctx, title, strings.Join(text, "\n"), cat.T("settings.list.choose", nil), cat.T("settings.list.close", nil), rows)
	if err != nil {
		return fmt.Errorf("choose: %w", err)
	}
	if n < 0 || s.Choices[n].Value == state.Settings.SessionInsights {
		return nil
	}
	to := s.Choices[n].Value
	stepped, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	var now ipc.SettingsResult
	err = call(stepped, ipc.MethodSettingsSet, ipc.SettingsSet{SessionInsights: to}, &now)
	enforced := state.Settings.Enforced
	if err != nil { // it may have been enforced meanwhile
		if again, loadErr := load(ctx, call); loadErr == nil {
			enforced = again.Settings.Enforced
		}
	}
	return tell(viewmodel.Changed(cat, to, enforced, err))
}

func load(ctx context.Context, call Call) (s viewmodel.SettingsState, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if err = call(ctx, ipc.MethodSettingsGet, ipc.Empty{}, &s.Settings); err != nil {
		return s, err
	}
	if err = call(ctx, ipc.MethodPolicyShow, ipc.Empty{}, &s.Policy); err != nil {
		return s, err
	}
	return s, call(ctx, ipc.MethodStatus, ipc.Empty{}, &s.Status)
}
