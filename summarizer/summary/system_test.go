package summary_test

import (
	"strings"
	"testing"
	"time"

	"aval/agent/event"
	"aval/summarizer/summary"
)

// TestSystem: what became of the computer is told, each sort once, with the
// events that say so, in both languages; what did not happen is not.
func TestSystem(t *testing.T) {
	add := func(kind event.Kind, fields ...string) event.Event {
		f := map[string]string{}
		for i := 0; i < len(fields); i += 2 {
			f[fields[i]] = fields[i+1]
		}
		return event.Event{Kind: kind, Fields: f}
	}
	in := summary.Session{Tool: "ssh", Supporter: "Example Support", Events: []event.Event{
		add(event.SessionStarted, "tool", "ssh"),
		add(event.PackageChanged, "action", "installed", "name", "cups-daemon", "version", "2.4"),
		add(event.PackageChanged, "action", "installed", "name", "cups-client"),
		add(event.PackageChanged, "action", "removed", "name", "lprng"),
		add(event.ServiceChanged, "action", "restarted", "name", "cups"),
		add(event.ServiceChanged, "action", "failed", "name", "smbd"),
		add(event.FileChanged, "action", "changed", "name", "/etc/cups/cupsd.conf"),
		add(event.SettingChanged, "setting", "printers", "name", "/etc/cups/printers.conf"),
		add(event.DeviceAttached, "class", "usb", "name", "Laser 100"),
		add(event.ErrorLogged, "program", "smbd", "text", "bind failed"),
		add(event.CommandEnded, "program", "apt-get", "status", "100"),
		add(event.CommandEnded, "program", "make", "status", "0", "programs", "4000"),
		add(event.Gap, "reason", "too-short", "count", "3"),
	}}
	for i := range in.Events {
		in.Events[i].Seq, in.Events[i].At = uint64(i+1), time.Unix(int64(1000+i), 0)
	}
	for lang, want := range map[string]string{
		"en": "Packages installed: “cups-daemon”, “cups-client”. Package removed: “lprng”. Service restarted: “cups”. Service that failed: “smbd”. " +
			"File changed: “/etc/cups/cupsd.conf”. System setting changed: printers. Device attached: “Laser 100”. Error in the system's log, by: smbd. " +
			"Command that ended with an error: apt-get. 3 programs ended before their commands could be read.",
		"pt-BR": "Pacotes instalados: “cups-daemon”, “cups-client”. Pacote removido: “lprng”. Serviço reiniciado: “cups”. Serviço que falhou: “smbd”. " +
			"Arquivo alterado: “/etc/cups/cupsd.conf”. Configuração do sistema alterada: impressoras. Dispositivo conectado: “Laser 100”. Erro no registro do sistema, de: smbd. " +
			"Comando que terminou com erro: apt-get. 3 programas terminaram antes que seus comandos pudessem ser lidos.",
	} {
		s := summary.Rules(in, lang)
		if !strings.Contains(s.Text, want) {
			t.Errorf("%s: %s\nhas no %s", lang, s.Text, want)
		}
		if wrong := unsupported(in, s); len(wrong) > 0 {
			t.Errorf("%s: %q", lang, wrong)
		}
		// Without its event a sentence is gone.
		for i, e := range in.Events {
			if e.Kind != event.PackageChanged && e.Kind != event.ServiceChanged && e.Kind != event.FileChanged {
				continue
			}
			less := in
			less.Events = append(append([]event.Event(nil), in.Events[:i]...), in.Events[i+1:]...)
			if strings.Contains(summary.Rules(less, lang).Text, "“"+e.Fields["name"]+"”") {
				t.Errorf("%s: %s is told without its event", lang, e.Fields["name"])
			}
		}
	}
}
