package settingsview

import (
	"context"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/ui/control"
	"aval/ui/theme"
	"aval/ui/viewmodel"
)

// Page is one page of the settings. They form the way that users of commercial
// remote tools know, from the gear down to Session Insights.
type Page int

// The pages.
const (
	PageHome Page = iota
	PageDevice
	PageAdvanced
	PageAccess
	PageInsights
	PageRecord
	PageLanguage
	PageCompanies
	pageCount
)

// plan says of each page its title and where Back leads.
var plan = [pageCount]struct {
	title string
	up    Page
}{
	PageHome:      {"settings.title", PageHome},
	PageDevice:    {"settings.device", PageHome},
	PageAdvanced:  {"settings.advanced", PageDevice},
	PageAccess:    {"settings.access", PageAdvanced},
	PageInsights:  {"settings.access.name", PageAccess},
	PageRecord:    {"settings.record", PageHome},
	PageLanguage:  {"settings.language", PageHome},
	PageCompanies: {"settings.companies", PageHome},
}

// parts are what the pages show.
type parts struct {
	force  *control.Paragraph
	why    *control.Button
	layers *fyne.Container

	lasting *fyne.Container // answers that hold for further sessions
	lasts   []viewmodel.Lasting

	values  []consent.AccessControl // of choices
	choices []*control.Choice
	groups  []event.Group // of ticks
	ticks   []*control.Choice
	spoken  []string // values of languages
	tongues []*control.Choice

	toRecord                                []*control.Row
	toLanguage, toCompanies, toInsights     *control.Row
	access, computer, companies, groupsNote *control.Paragraph

	code   *control.Code
	signIn *control.SignIn
}

func (v *View) composePages() {
	v.computer, v.companies, v.access = control.NewParagraph(""), control.NewParagraph(""), control.NewParagraph("")
	v.toLanguage, v.toCompanies = v.row("settings.language", PageLanguage), v.row("settings.companies", PageCompanies)
	v.toRecord = []*control.Row{v.row("settings.record", PageRecord), v.row("settings.record", PageRecord)}
	v.toInsights = v.row("settings.access.name", PageInsights)

	device := v.row("settings.device", PageDevice)
	device.Set(v.cat.T("settings.device.now", nil))
	v.pages[PageHome] = column(device, v.toRecord[0], v.toLanguage, v.toCompanies)
	v.first[PageHome] = device

	advanced := v.row("settings.advanced", PageAdvanced)
	v.pages[PageDevice] = column(control.NewHead(v.cat.T("settings.computer", nil)), v.computer, advanced)
	v.first[PageDevice] = advanced

	configure := control.NewButton(v.cat.T("settings.access.configure", nil), nil, func() { v.turn(PageAccess) })
	configure.Focused = func() { v.reveal(configure) }
	name := control.NewParagraph(v.cat.T("settings.access", nil))
	name.TextStyle.Bold = true
	v.pages[PageAdvanced] = column(control.NewHead(v.cat.T("settings.advanced.connections", nil)),
		container.NewBorder(nil, nil, nil, container.NewCenter(configure), column(name, v.access)))
	v.first[PageAdvanced] = configure

	v.pages[PageAccess] = column(control.NewHead(v.cat.T("settings.advanced.connections", nil)), v.toRecord[1], v.toInsights)
	v.first[PageAccess] = v.toInsights

	v.composeInsights()
	v.composeRecord()
	v.composeLanguage()
	v.code = control.NewCode(v.cat, func(ctx context.Context, code string) (r ipc.SessionBeginResult, err error) {
		err = v.call(ctx, ipc.MethodSessionJoin, ipc.SessionJoin{Code: code}, &r)
		return r, err
	}, "")
	v.signIn = control.NewSignIn(v.cat, v.zone, v.accounts, "")
	v.signIn.Reveal, v.signIn.Done = v.reveal, v.Refresh
	v.pages[PageCompanies] = column(control.NewParagraph(v.cat.T("settings.companies.what", nil)), v.companies, v.signIn.Way(), widget.NewSeparator(), v.code.Content(),
		widget.NewSeparator(), v.signIn.Content())
	v.first[PageCompanies], v.code.Reveal = v.code.First(), v.reveal
}

func (v *View) composeInsights() {
	v.force, v.layers = control.NewParagraph(""), control.Tight()
	v.force.TextStyle.Bold = true
	v.layers.Hide()
	v.why = control.NewButton(v.cat.T("settings.why", nil), nil, v.unfold)
	v.why.Focused = func() { v.reveal(v.why) }
	rows := column(control.NewParagraph(v.cat.T("settings.insights.what", nil)), container.NewBorder(nil, nil, nil, container.NewVBox(v.why), v.force), v.layers)
	for _, now := range viewmodel.NewSettings(viewmodel.SettingsState{}, v.cat, v.zone).Choices {
		v.values = append(v.values, now.Value)
		v.choices = append(v.choices, v.choice(false, &v.choices, func(int) { v.setAccess(now.Value) }))
		rows.Add(v.choices[len(v.choices)-1])
	}
	v.lasting = container.NewVBox()
	v.lasting.Hide()
	rows.Add(v.lasting)
	v.pages[PageInsights] = rows
}

func (v *View) composeRecord() {
	v.groupsNote = control.NewParagraph("")
	rows := column(control.NewParagraph(v.cat.T("settings.record.what", nil)))
	for _, g := range event.Groups {
		v.groups = append(v.groups, g)
		c := v.choice(true, &v.ticks, func(i int) { v.setGroup(g, !v.ticks[i].Chosen()) })
		v.ticks = append(v.ticks, c)
		rows.Add(c)
	}
	rows.Add(v.groupsNote)
	v.pages[PageRecord] = rows
}

func (v *View) composeLanguage() {
	rows := column(control.NewParagraph(v.cat.T("settings.language.what", nil)))
	for _, l := range viewmodel.NewLanguages("", v.cat, v.locale) {
		v.spoken = append(v.spoken, l.Value)
		c := v.choice(false, &v.tongues, func(int) { v.setLanguage(l.Value) })
		v.tongues = append(v.tongues, c)
		rows.Add(c)
	}
	v.pages[PageLanguage] = rows
}

// choice makes one of a list of choices; pick is called with its place there.
func (v *View) choice(box bool, list *[]*control.Choice, pick func(i int)) *control.Choice {
	c, i := control.NewChoice(box), len(*list)
	c.Pick = func() {
		v.press = c.Press()
		pick(i)
		v.press = nil
	}
	c.Step = func(by int) {
		if n := i + by; n >= 0 && n < len(*list) {
			v.focus((*list)[n])
		}
	}
	c.Reveal = func() { v.reveal(c) }
	return c
}

func (v *View) row(key string, to Page) *control.Row {
	r := control.NewRow(v.cat.T(key, nil), func() { v.turn(to) })
	r.Reveal = func() { v.reveal(r) }
	return r
}

// fill puts what the service said into all pages.
func (v *View) fill(s viewmodel.Settings) {
	v.force.SetText(s.Force)
	v.layers.RemoveAll()
	for i, line := range s.Layers {
		p := control.NewParagraph(line)
		p.TextStyle.Bold = i == len(s.Layers)-1 // what follows from the others
		v.layers.Add(p)
	}
	v.showLasting(s.Lasting)
	v.computer.SetText(strings.Join(s.Computer, "\n"))
	v.companies.SetText(strings.Join(s.Companies, "\n"))
	v.signIn.Set(v.state.Status.Account, v.state.Status.Company)
	v.access.SetText(s.Access)
	v.groupsNote.SetText(s.GroupsNote)
	for i, c := range v.choices {
		c.Set(s.Choices[i].Name, s.Choices[i].Meaning, s.Choices[i].Chosen, s.Greyed)
	}
	for i, c := range v.ticks {
		for _, g := range s.Groups {
			if g.Group == v.groups[i] {
				c.Set(g.Name, g.Why, g.On, g.Greyed)
			}
		}
	}
	for i, l := range viewmodel.NewLanguages(v.state.Settings.Language, v.cat, v.locale) {
		if len(theme.Missing(l.Name, fyne.TextStyle{Bold: true})) > 0 { // no font in use has it
			l.Name = l.Value
		}
		v.tongues[i].Set(l.Name, l.Meaning, l.Chosen, false)
		if l.Chosen {
			v.toLanguage.Set(l.Name)
		}
	}
	for _, r := range v.toRecord {
		r.Set(s.Recorded)
	}
	v.toCompanies.Set(s.Company)
	v.toInsights.Set(s.InForce)
}

// turn shows a page.
func (v *View) turn(to Page) {
	v.page = to
	v.title.Text = v.cat.T(plan[to].title, nil)
	v.title.Refresh()
	up := v.cat.T("settings.back", nil)
	if to != PageHome {
		up = v.cat.T("settings.up", map[string]any{"page": v.cat.T(plan[plan[to].up].title, nil)})
	}
	v.back.SetText(up)
	if to == PageHome && v.leave == nil {
		v.back.Hide()
	} else {
		v.back.Show()
	}
	v.body.Objects = []fyne.CanvasObject{v.pages[to]}
	v.body.Refresh()
	v.scroll.ScrollToTop()
	if v.root != nil {
		v.undo = nil
		v.say("")
		v.focusPage()
	}
}

func (v *View) goBack() {
	if v.page != PageHome {
		v.turn(plan[v.page].up)
	} else if v.leave != nil {
		v.leave()
	}
}

// focusPage puts the keyboard's focus where the page begins: on what is chosen,
// where there is something to choose.
func (v *View) focusPage() {
	to := v.first[v.page]
	list := map[Page][]*control.Choice{PageInsights: v.choices, PageRecord: v.ticks, PageLanguage: v.tongues}[v.page]
	for _, c := range list {
		if c.Chosen() {
			to = c
			break
		}
	}
	if to == nil && v.back.Visible() {
		to = v.back
	}
	v.focus(to)
}

func (v *View) unfold() {
	if v.layers.Visible() {
		v.layers.Hide()
		v.why.SetText(v.cat.T("settings.why", nil))
	} else {
		v.layers.Show()
		v.why.SetText(v.cat.T("settings.why.less", nil))
	}
	v.root.Refresh()
}

func column(parts ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedVBoxLayout(0), parts...)
}
