package main

import "fmt"

// narrator tells the story on the terminal in the person's language.
type narrator struct {
	lang string
	step int
}

var texts = map[string]map[string]string{
	"en": {
		"summarizer": "The company's summarizer starts. Its console is at %s",
		"computer":   "A person's computer: a display of its own (%s) with a window manager and a letter that is open already.",
		"window":     "It is the window that has just opened on your display. When the question comes, it is you who answers.",
		"agent":      "Aval starts on that computer and joins the company with the enrolment token. Nothing is recorded.",
		"connect":    "A supporter connects with a VNC viewer to the computer's x11vnc. Before they are let in, Aval asks the person.",
		"question":   "The question is on the screen: %s",
		"you":        "Please answer in that window now: “Allow access” to see the whole story, “Don't allow” to see that support goes on without a record.",
		"clicked":    "The person clicks “Allow access” with the mouse of this computer. A signed grant is on disk; the recording starts.",
		"refused":    "You did not allow it. The supporter is connected all the same, and nothing is recorded:",
		"in":         "The supporter is in, and the bar at the top says that the session is being recorded.",
		"work":       "The supporter works: opens a terminal from the menu, starts a clock and an editor, types in both, and leaves a note.",
		"leave":      "The supporter disconnects. The recording ends with the session; %d items left the computer, each listed by “aval sent”.",
		"summary":    "The summary, as the company has it:",
		"proved":     "It names what was really done: %s",
		"canary":     "The letter that was open before the answer is nowhere in it.",
		"console":    "The console shows it at %s (signed in with the administrator's link, page fetched: %d bytes).",
		"browser":    "The summary in the console, in a browser",
		"done":       "Done in %s. The pictures are in %s.",
		"linger":     "The console stays open. Administrator's link (works once):\n\n    %s\n\nThe browser will warn of the certificate, which this demo made itself. Enter ends everything.",
		"note":       "Clock drifted by four minutes; set it again from the time server. Problem solved.",
		"chat":       "My computer shows the wrong time.",
		"letter":     "Letter to Aunt Rosa",
	},
	"pt-BR": {
		"summarizer": "O servidor de resumos da empresa é iniciado. O console fica em %s",
		"computer":   "O computador de uma pessoa: uma tela própria (%s) com gerenciador de janelas e uma carta que já estava aberta.",
		"window":     "É a janela que acabou de abrir na sua tela. Quando a pergunta aparecer, quem responde é você.",
		"agent":      "O Aval é iniciado nesse computador e entra na empresa com o código de inscrição. Nada está sendo registrado.",
		"connect":    "Alguém do suporte se conecta por VNC ao x11vnc do computador. Antes de deixar entrar, o Aval pergunta à pessoa.",
		"question":   "A pergunta está na tela: %s",
		"you":        "Responda agora nessa janela: “Permitir acesso” para ver a história inteira, “Não permitir” para ver que o suporte continua sem registro.",
		"clicked":    "A pessoa clica em “Permitir acesso” com o mouse deste computador. A autorização assinada está no disco; o registro começa.",
		"refused":    "Você não permitiu. O suporte está conectado mesmo assim, e nada é registrado:",
		"in":         "O suporte entrou, e a barra no alto diz que a sessão está sendo registrada.",
		"work":       "O suporte trabalha: abre um terminal pelo menu, inicia um relógio e um editor, digita nos dois e deixa uma nota.",
		"leave":      "O suporte se desconecta. O registro termina com a sessão; %d itens saíram do computador, todos listados por “aval sent”.",
		"summary":    "O resumo, como a empresa o tem:",
		"proved":     "Ele diz o que foi feito de verdade: %s",
		"canary":     "A carta que já estava aberta antes da resposta não aparece em lugar nenhum.",
		"console":    "O console mostra o resumo em %s (entrada com o link de administrador, página lida: %d bytes).",
		"browser":    "O resumo no console, em um navegador",
		"done":       "Pronto em %s. As imagens estão em %s.",
		"linger":     "O console continua aberto. Link de administrador (funciona uma vez):\n\n    %s\n\nO navegador vai avisar sobre o certificado, que esta demonstração criou sozinha. Enter encerra tudo.",
		"note":       "Relógio estava quatro minutos atrasado; acertado pelo servidor de hora. Problema resolvido.",
		"chat":       "Meu computador mostra a hora errada.",
		"letter":     "Carta para tia Rosa",
	},
}

func (n *narrator) text(key string, args ...any) string {
	s := texts[n.lang][key]
	if len(args) == 0 {
		return s
	}
	return fmt.Sprintf(s, args...)
}

// next tells a numbered step, line something beside it.
func (n *narrator) next(key string, args ...any) {
	n.step++
	fmt.Printf("\n%d. %s\n", n.step, n.text(key, args...))
}

func (n *narrator) line(key string, args ...any) { fmt.Printf("   %s\n", n.text(key, args...)) }

func (n *narrator) picture(path string) { fmt.Printf("   [%s]\n", path) }
