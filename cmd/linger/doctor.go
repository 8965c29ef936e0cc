package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"linger/lab"
	"linger/report/text"
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
		var checks []text.Check
		for _, f := range findings {
			checks = append(checks, text.Check(f))
		}
		if err := text.Doctor(std.out, checks, (&outputs{std: std}).layout(std.out)); err != nil {
			return err
		}
	}
	if !able {
		return statusError{exitMachine, fmt.Errorf("no lab can be made on this machine; what is marked FAIL above says how to permit it")}
	}
	return nil
}
