package consent

import "strings"

// EngineRules is the engine that writes summaries by rules, without AI.
const EngineRules = "rules"

// EngineHere is the host of a model that runs on the company's own server: what
// it reads leaves that server for nobody.
const EngineHere = "localhost"

// Engine names a model and where it runs as one word: what people are told, what
// the grant says, and what must be the same when the summary is written. host is
// EngineHere, or HOST or HOST:PORT of whoever the text is sent to.
func Engine(model, host string) string { return model + "@" + host }

// SplitEngine takes the name of an engine apart. model is empty for the rules and
// where nothing is known; host is empty where a name says none.
func SplitEngine(engine string) (model, host string) {
	if engine == EngineRules {
		return "", ""
	}
	if i := strings.LastIndexByte(engine, '@'); i > 0 {
		return engine[:i], engine[i+1:]
	}
	return engine, ""
}
