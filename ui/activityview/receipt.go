package activityview

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/control"
	"aval/ui/viewmodel"
)

// receipt offers the receipt of a decision; said is what became of the last
// choice, empty: nothing yet.
func (v *View) receipt(a viewmodel.Activity, said string) {
	if v.busy {
		return
	}
	v.asked = true
	v.foot.RemoveAll()
	if said == "" {
		said = v.t("activity.receipt.what")
	}
	v.foot.Add(control.NewParagraph(said))
	do := func(key string, with func(ipc.Receipt) (string, error)) *control.Button {
		return control.NewButton(v.t(key), nil, func() { v.withReceipt(a, with) })
	}
	name := v.t("activity.receipt.file") + "-" + v.now().Format("2006-01-02")
	save := func(ending string, content func(ipc.Receipt) []byte) func(ipc.Receipt) (string, error) {
		return func(r ipc.Receipt) (string, error) {
			path, err := v.save(name, ending, content(r))
			return v.cat.T("activity.receipt.saved", assets.Args{"path": viewmodel.Clean(path, 300)}), err
		}
	}
	page := do("activity.receipt.page", save(".txt", func(r ipc.Receipt) []byte { return []byte(r.Page) }))
	buttons := []fyne.CanvasObject{page, do("activity.receipt.json", save(".json", func(r ipc.Receipt) []byte { return r.JSON }))}
	if v.prnt != nil {
		buttons = append(buttons, do("activity.receipt.print", func(r ipc.Receipt) (string, error) {
			return v.t("activity.receipt.printed"), v.prnt(r.Page)
		}))
	}
	back := control.NewButton(v.t("activity.receipt.back"), nil, func() { v.actions(); v.focus(v.list) })
	v.foot.Add(container.NewHBox(append(buttons, back)...))
	v.focus(page)
}

// withReceipt fetches the receipt, does something with it and says what came of it.
func (v *View) withReceipt(a viewmodel.Activity, with func(ipc.Receipt) (string, error)) {
	if v.busy {
		return
	}
	v.busy = true
	go func() {
		r, err := v.dial.receipt(a.ID, v.cat.Lang)
		said := ""
		if err == nil {
			said, err = with(r)
		}
		if err != nil {
			said = v.t("activity.receipt.failed")
		}
		v.do(func() {
			v.busy = false
			if v.chosen == a.ID {
				v.receipt(a, said)
			}
		})
	}()
}
