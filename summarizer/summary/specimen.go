package summary

import (
	"time"

	"aval/agent/consent"
	"aval/agent/event"
)

// Specimen is a session that never was, for trying an engine out without anything
// that was recorded. Its talk is in the language of lang.
func Specimen(lang string) Session {
	say := func(inPT, inEN string) string {
		if lang == "pt-BR" {
			return inPT
		}
		return inEN
	}
	in := Session{ID: "specimen/1", Tool: "specimen", Supporter: "Example", Basis: consent.BasisConsent, Provenance: consent.P2, Grant: "specimen"}
	at := time.Date(2026, 11, 20, 13, 5, 0, 0, time.UTC)
	add := func(after time.Duration, k event.Kind, fields map[string]string) {
		at = at.Add(after)
		in.Events = append(in.Events, event.Event{Session: in.ID, Seq: uint64(len(in.Events) + 1), Kind: k, At: at, Fields: fields})
	}
	add(0, event.SessionStarted, map[string]string{"tool": in.Tool})
	add(8*time.Second, event.ChatMessage, map[string]string{"from": "person", "text": say("A impressora do balcão parou de imprimir as notas desde ontem", "The printer at the counter stopped printing receipts yesterday")})
	add(12*time.Second, event.WindowFocused, map[string]string{"app": "Printers", "program": "system-config-printer", "title": say("Impressoras - localhost", "Printers - localhost")})
	add(20*time.Second, event.CommandRun, map[string]string{"program": "cupsenable", "command": "cupsenable Counter-01"})
	add(15*time.Second, event.PackageChanged, map[string]string{"action": "upgraded", "name": "printer-driver-gutenprint", "version": "5.3.4", "before": "5.3.3"})
	add(6*time.Second, event.ServiceChanged, map[string]string{"action": "restarted", "name": "cups.service"})
	add(25*time.Second, event.ChatMessage, map[string]string{"from": "person", "text": say("Agora voltou a funcionar, obrigada!", "It works again now, thank you!")})
	add(9*time.Second, event.Note, map[string]string{"text": say("Fila reativada e driver atualizado. Pendente: trocar o cabo na quinta.", "Queue enabled again and driver updated. Pending: replace the cable on Thursday.")})
	add(5*time.Second, event.SessionEnded, map[string]string{"reason": "ended"})
	return in
}
