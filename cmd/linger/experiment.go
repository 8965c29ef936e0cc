package main

import (
	"errors"
	"io"

	"linger"
	"linger/console"
	"linger/dial"
	"linger/fault"
	"linger/flags"
	"linger/lab"
	"linger/report/document"
	"linger/report/html"
	"linger/rig"
	"linger/rig/far"
	"linger/service"
)

// modelFor is what a page needs to predict as e does the strategies on a workload that
// the command line names by argument, with further flags.
func modelFor(e rig.Sim, w linger.Workload, strategies []linger.Strategy, argument string, words []string, trials int) (*html.Model, error) {
	c, err := e.Config(w, strategies...)
	if err != nil {
		return nil, err
	}
	return document.NewModel(c, strategies, flags.Quote(argument), words, trials)
}

// writeDocument has a document written wherever it may go.
func writeDocument(out *console.Outputs, d document.Document, queries bool) error {
	return writeAs(out, "", queries, d.Write)
}

// writeAs has what is written in the format of an ending written wherever it may go. command is
// how to have the same again, for pages.
func writeAs(out *console.Outputs, command string, queries bool, write func(w io.Writer, ending string, o document.Options) error) error {
	return out.Write(func(ending string, w io.Writer) error {
		return write(w, ending, document.Options{Text: out.Layout(w), Queries: queries, Command: command})
	})
}

// explainOwn prints the last that the user's own server wrote before it failed, if it did, and
// what else is to be known of its trials. Nil is none.
func explainOwn(std console.Streams, o *far.Own) {
	if o == nil {
		return
	}
	if o.Cold() {
		std.Note("this kernel cannot end connections (CONFIG_INET_DIAG_DESTROY): the server was started anew for each trial, and not warmed up")
	}
	explain(std, o.Failed())
}

// explain prints what a server wrote, marked.
func explain(std console.Streams, f *service.Failed) {
	if f != nil {
		std.Quote("origin: ", f.Output)
	}
}

// statusOf keeps the status of an error once its message has been printed.
func statusOf(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, lab.ErrUnsupported):
		return fault.Silent(fault.MachineUnable)
	case errors.Is(err, dial.ErrUnreachable):
		return fault.Silent(fault.TargetUnreachable)
	}
	return fault.Silent(fault.NotMet)
}
