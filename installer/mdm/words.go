package mdm

import (
	"fmt"
	"strings"

	"aval/agent/policy"
	"aval/assets"
)

// text is the administrative template in one language.
type text struct {
	about, recommended, supported string
	// values, number, list and risk are sentences that explain puts after the doc.
	values, number, list, byDefault, none, risk string
	choices                                     map[string]string
	// lang is where the names and explanations of the keys stand: they are those
	// of the console.
	lang string
}

// name is what a key is called.
func (t text) name(key policy.Name) string {
	return assets.ForArea("console", t.lang).T("console.key."+string(key), nil)
}

// explain is the help of one key: what it does, what it may be, what counts where
// nothing is set, and whether it can allow without a question.
func (t text) explain(d policy.Definition) string {
	s := []string{assets.ForArea("console", t.lang).T("console.key."+string(d.Name)+".doc", nil)}
	switch d.Type {
	case policy.Choice:
		s = append(s, fmt.Sprintf(t.values, strings.Join(d.Choices, ", ")))
	case policy.Number:
		s = append(s, fmt.Sprintf(t.number, d.Min, d.Max))
	case policy.List:
		s = append(s, fmt.Sprintf(t.list, policy.MaxEntries))
	}
	if d.Default == "" || d.Default == "unset" {
		s = append(s, t.none)
	} else {
		s = append(s, fmt.Sprintf(t.byDefault, d.Default))
	}
	if len(d.Allows) > 0 {
		s = append(s, t.risk)
	}
	return strings.Join(s, " ")
}

var texts = map[string]text{
	"en": {
		lang:        "en",
		about:       "Policies of Aval: whether remote-support sessions may be recorded for a summary",
		recommended: "Recommended (people may choose otherwise)",
		supported:   "Aval 0.1 or later",
		values:      "Values: %s.", number: "A whole number from %d to %d.", list: "One entry a line, at most %d.",
		byDefault: "Where nothing is set: %s.", none: "Where nothing is set, nothing is assumed.",
		risk: "Some values can let sessions be recorded without a question.",
		choices: map[string]string{"off": "Off", "on": "On", "denied": "Denied", "after-confirmation": "After confirmation",
			"allowed": "Allowed"},
	},
	"pt-BR": {
		lang:        "pt-BR",
		about:       "Políticas do Aval: se sessões de suporte remoto podem ser registradas para um resumo",
		recommended: "Recomendadas (as pessoas podem escolher outra coisa)",
		supported:   "Aval 0.1 ou mais recente",
		values:      "Valores: %s.", number: "Um número inteiro de %d a %d.", list: "Um item por linha, no máximo %d.",
		byDefault: "Se nada for definido: %s.", none: "Se nada for definido, nada é presumido.",
		risk: "Alguns valores podem permitir que sessões sejam registradas sem pergunta.",
		choices: map[string]string{"off": "Desligado", "on": "Ligado", "denied": "Negado", "after-confirmation": "Após confirmação",
			"allowed": "Permitido"},
	},
}
