// Package fault says what an error is about, for whoever has to end with a status: what was
// asked for, the machine, the server, or the user's own wish to stop.
//
// A room that finds such an error returns it by Usage, Machine, Unreachable or Interrupted; any
// other error says only that something failed. KindOf finds the kind again, however often the
// error was wrapped since. What status a kind comes to is the command's to know.
package fault

import (
	"context"
	"errors"
	"fmt"
)

// A Kind is what an error is about.
type Kind int

const (
	Other Kind = iota
	// NotMet is of a condition that does not hold, or of a result that is not there.
	NotMet
	// WrongUsage is of what was asked for, which cannot be.
	WrongUsage
	// MachineUnable is of this machine, which cannot do it.
	MachineUnable
	// TargetUnreachable is of the server, which cannot be reached or gives nothing.
	TargetUnreachable
	// StoppedEarly is of an experiment that was told to stop before it had anything.
	StoppedEarly
)

// An Error is an error of a kind. Without an error in it there is nothing left to say: what went
// wrong stands in the result.
type Error struct {
	Kind Kind
	Err  error
}

func (e Error) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

func (e Error) Unwrap() error { return e.Err }

// Usage is an error of what was asked for; it says what to ask for instead.
func Usage(format string, args ...any) error { return Error{WrongUsage, fmt.Errorf(format, args...)} }

// Unmet is an error of a condition that does not hold, or of a result that is not there.
func Unmet(format string, args ...any) error { return Error{NotMet, fmt.Errorf(format, args...)} }

// Machine is an error of this machine.
func Machine(format string, args ...any) error {
	return Error{MachineUnable, fmt.Errorf(format, args...)}
}

// Unreachable is an error of a server.
func Unreachable(format string, args ...any) error {
	return Error{TargetUnreachable, fmt.Errorf(format, args...)}
}

// Interrupted is an error of what was stopped.
func Interrupted(format string, args ...any) error {
	return Error{StoppedEarly, fmt.Errorf(format, args...)}
}

// Silent is an error of which there is nothing left to say.
func Silent(kind Kind) error { return Error{Kind: kind} }

// ErrInterrupted is of whatever was told to stop before it had anything.
var ErrInterrupted = Interrupted("interrupted")

// KindOf is the kind of the first error of a kind in a tree of errors, from the outside in and
// of joined ones in their order; Other where there is none.
func KindOf(err error) Kind {
	e, _ := errors.AsType[Error](err)
	return e.Kind
}

// Stopped is ErrInterrupted once ctx has ended, and nil before.
func Stopped(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return ErrInterrupted
}
