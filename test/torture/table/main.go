// Command table puts the reports of the shards of a campaign together and prints
// them as one table.
//
//	go run ./test/torture/table out/torture/*.json
//
// The one rule that must not be broken: it adds up what the reports say, and
// fails where one of them says that something went wrong; reports of other programs
// than the newest one's it leaves out.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"aval/test/torture"
)

func main() {
	var reports []torture.Report
	for _, path := range os.Args[1:] {
		raw, err := os.ReadFile(path)
		var r torture.Report
		if err == nil {
			err = json.Unmarshal(raw, &r)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "table: read %s: %v\n", path, err)
			os.Exit(1)
		}
		reports = append(reports, r)
	}
	newest := torture.Newest(reports)
	if n := len(reports) - len(newest); n > 0 {
		fmt.Fprintf(os.Stderr, "table: %d of %d reports are of other programs and are left out\n", n, len(reports))
	}
	text := torture.Table(newest)
	fmt.Print(text)
	if len(reports) == 0 || strings.Contains(text, "**") {
		os.Exit(1)
	}
}
