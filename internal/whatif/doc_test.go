// Package whatif holds tests only: what inspect predicts of other settings, from a capture of real
// clients and servers, against captures of the same clients and servers with those settings.
package whatif
