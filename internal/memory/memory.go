// Package memory tells how much of it the process has, had at most, and could
// have. A number is 0 where the system does not tell.
package memory
