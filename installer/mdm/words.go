package mdm

import (
	"fmt"
	"strings"

	"aval/agent/policy"
)

// keyText is what an administrator reads about one key.
type keyText struct{ name, doc string }

// text is the administrative template in one language.
type text struct {
	about, recommended, supported string
	// values, number, list and risk are sentences that explain puts after the doc.
	values, number, list, byDefault, none, risk string
	choices                                     map[string]string
	keys                                        map[policy.Name]keyText
}

// explain is the help of one key: what it does, what it may be, what counts where
// nothing is set, and whether it can allow without a question.
func (t text) explain(d policy.Definition) string {
	doc := t.keys[d.Name].doc
	if doc == "" {
		doc = d.Doc
	}
	s := []string{doc}
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
		about:       "Policies of Aval: whether remote-support sessions may be recorded for a summary",
		recommended: "Recommended (people may choose otherwise)",
		supported:   "Aval 0.1 or later",
		values:      "Values: %s.", number: "A whole number from %d to %d.", list: "One entry a line, at most %d.",
		byDefault: "Where nothing is set: %s.", none: "Where nothing is set, nothing is assumed.",
		risk: "Some values can let sessions be recorded without a question.",
		choices: map[string]string{"off": "Off", "on": "On", "denied": "Denied", "after-confirmation": "After confirmation",
			"allowed": "Allowed"},
		keys: map[policy.Name]keyText{ // the docs are those of the table
			policy.Reporting:       {name: "Connection reporting"},
			policy.Insights:        {name: "Session Insights for incoming connections"},
			policy.AccessControl:   {name: "Access control for Session Insights"},
			policy.QuestionSeconds: {name: "Seconds that the question waits"},
			policy.AllowMinutes:    {name: "Minutes that a yes may be offered for"},
			policy.AskAgainMinutes: {name: "Minutes after which a session is asked about again"},
			policy.AcceptUnproven:  {name: "Count a yes of unknown origin at once"},
			policy.RecordGroups:    {name: "Groups of events that may be recorded"},
			policy.AlsoRemove:      {name: "What is taken out of captured text as well"},
			policy.Languages:       {name: "Languages of the question"},
			policy.SSHAccounts:     {name: "SSH accounts used for support"},
			policy.SSHGroups:       {name: "SSH groups used for support"},
			policy.SSHKeys:         {name: "SSH keys used for support"},
		},
	},
	"pt-BR": {
		about:       "Políticas do Aval: se sessões de suporte remoto podem ser registradas para um resumo",
		recommended: "Recomendadas (as pessoas podem escolher outra coisa)",
		supported:   "Aval 0.1 ou mais recente",
		values:      "Valores: %s.", number: "Um número inteiro de %d a %d.", list: "Um item por linha, no máximo %d.",
		byDefault: "Se nada for definido: %s.", none: "Se nada for definido, nada é presumido.",
		risk: "Alguns valores podem permitir que sessões sejam registradas sem pergunta.",
		choices: map[string]string{"off": "Desligado", "on": "Ligado", "denied": "Negado", "after-confirmation": "Após confirmação",
			"allowed": "Permitido"},
		keys: map[policy.Name]keyText{
			policy.Reporting: {"Relatório de conexões",
				"Se as conexões com este dispositivo são relatadas. O Session Insights para conexões recebidas precisa de `on` quando a empresa o limita a dispositivos com uma política atribuída; `off` exclui o dispositivo."},
			policy.Insights: {"Session Insights para conexões recebidas",
				"Session Insights para conexões recebidas. `on` e imposto: as sessões da empresa que gerencia o dispositivo são registradas com um aviso em vez de uma pergunta. `off` exclui o dispositivo."},
			policy.AccessControl: {"Controle de acesso para o Session Insights",
				"Controle de acesso para o Session Insights neste dispositivo. Imposto, substitui o que a pessoa escolheu; recomendado, vale para quem não escolheu."},
			policy.QuestionSeconds: {"Segundos que a pergunta espera",
				"Quantos segundos a pergunta espera por uma resposta depois de mostrada. Sem resposta, nada é registrado."},
			policy.AllowMinutes: {"Minutos pelos quais um sim pode ser oferecido",
				"Por quantos minutos a pergunta pode oferecer que um sim valha para outras sessões do mesmo suporte e da mesma empresa, com os mesmos grupos de eventos, para que uma reinicialização no meio do trabalho não pergunte de novo. A pessoa escolhe e pode voltar atrás. 0: um sim vale para uma sessão e nada mais é oferecido."},
			policy.AskAgainMinutes: {"Minutos após os quais uma sessão é perguntada de novo",
				"Após quantos minutos de registro uma sessão é decidida e, quando necessário, perguntada de novo."},
			policy.AcceptUnproven: {"Contar logo um sim de origem desconhecida",
				"Se um sim vale logo mesmo sem certeza de que foi a pessoa que o deu: diálogos nativos e áreas de trabalho remotas não mostram quem clicou. `off`: o que é registrado fica no computador até o suporte sair, e então a pessoa diz se quer enviar ou apagar."},
			policy.RecordGroups: {"Grupos de eventos que podem ser registrados",
				"Grupos de eventos que podem ser registrados. Um grupo deixado de fora não é oferecido nem registrado; lista vazia: nada é registrado."},
			policy.AlsoRemove: {"O que mais é retirado do texto capturado",
				"Expressões regulares (RE2) do que é retirado do texto capturado antes de ser guardado, além do que sempre é retirado. As listas de todas as origens valem juntas; nenhuma retira proteção."},
			policy.Languages: {"Idiomas da pergunta",
				"Idiomas da pergunta quando o da área de trabalho não é um dos nossos, o melhor primeiro, como códigos BCP 47; ficam primeiro no menu de idiomas."},
			policy.SSHAccounts: {"Contas SSH usadas para suporte",
				"Contas deste dispositivo cujos acessos OpenSSH com terminal contam como sessões de suporte."},
			policy.SSHGroups: {"Grupos SSH usados para suporte",
				"Grupos deste dispositivo cujos membros, ao acessar por OpenSSH com terminal, contam como sessões de suporte."},
			policy.SSHKeys: {"Chaves SSH usadas para suporte",
				"Impressões digitais das chaves SSH cujos acessos com terminal contam como sessões de suporte, como `ssh-keygen -l` as mostra."},
		},
	},
}
