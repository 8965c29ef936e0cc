package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"text/tabwriter"

	"linger/lab"
)

type doctorCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run prints what the lab wants of this machine and whether it has it; exit
// status 3 says that no lab can be made here.
func (c doctorCmd) Run(std streams) error {
	findings := lab.Check()
	able := len(findings) > 0
	for _, f := range findings {
		able = able && (f.OK || !f.Needed)
	}
	if c.JSON {
		type row struct {
			Name   string `json:"name"`
			OK     bool   `json:"ok"`
			Needed bool   `json:"needed"`
			Found  string `json:"found"`
			Fix    string `json:"fix,omitempty"`
		}
		rows := []row{}
		for _, f := range findings {
			rows = append(rows, row(f))
		}
		enc := json.NewEncoder(std.out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(map[string]any{"format": "linger doctor 1", "linger": version, "system": runtime.GOOS, "lab": able, "findings": rows}); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
		for _, f := range findings {
			mark := "ok"
			switch {
			case !f.OK && f.Needed:
				mark = "NO"
			case !f.OK:
				mark = "no"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", mark, f.Name, f.Found)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		for _, f := range findings {
			if !f.OK {
				fmt.Fprintf(std.out, "\n%s:\n  %s\n", f.Name, f.Fix)
			}
		}
		if able {
			fmt.Fprintln(std.out, "\nThe lab can run here: linger compare")
		}
	}
	if !able {
		return statusError{exitMachine, fmt.Errorf("no lab can be made on this machine; what is marked NO above says how to permit it")}
	}
	return nil
}
