"""What the host owes its users, and which tests hold it to that.

Each duty names its tests as `file::test`; `tests/test_architecture.py` checks that they exist.  A
divergence says how Atrio differs from the reference server on purpose.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Duty:
    behaviour: str
    tests: tuple[str, ...]
    divergence: str = ""


DUTIES = {
    "turn-order": Duty(
        "A turn is told in order and its deltas add up to its items.",
        (
            "wire/test_turn.py::test_a_turn_is_told_in_order",
            "wire/test_turn.py::test_text_streams_before_the_response_ends",
            "wire/test_turn.py::test_a_message_of_many_pieces_arrives_whole",
        ),
    ),
    "turn-free": Duty(
        "The thread is free when a turn has completed.",
        ("wire/test_turn.py::test_the_thread_is_free_when_a_turn_has_completed",),
        "the reference says so slightly before",
    ),
    "turn-memory": Duty(
        "The model sees the turns before, after a restart too.",
        (
            "wire/test_turn.py::test_the_model_sees_the_turns_before",
            "wire/test_stored.py::test_turns_come_back_after_a_restart",
        ),
    ),
    "turn-control": Duty(
        "A running turn can be steered and interrupted, its commands end with it.",
        (
            "wire/test_turn.py::test_input_can_be_added_to_a_running_turn",
            "wire/test_turn.py::test_an_interrupt_ends_a_turn_that_streams",
            "wire/test_turn.py::test_an_interrupt_ends_the_command_that_runs",
        ),
    ),
    "review": Duty(
        "A review says what was found, takes no input, asks nobody, and leaves the thread free.",
        (
            "wire/test_review.py::test_a_review_is_told_from_the_way_in_to_the_way_out",
            "wire/test_review.py::test_nobody_is_asked_during_a_review",
            "wire/test_review.py::test_a_review_is_interrupted_by_the_id_that_names_it",
            "wire/test_review.py::test_a_review_reads_back_as_one_turn",
            "wire/test_review_refusals.py::test_a_review_takes_no_input",
            "wire/test_review_refusals.py::test_what_git_does_not_know_is_refused",
            "wire/test_review_detached.py::test_a_detached_review_leaves_the_thread_free",
        ),
        "one id and one stored turn, where the reference has two",
    ),
    "approval": Duty(
        "Nothing that needs approval happens without it.",
        (
            "wire/test_approval.py::test_a_command_runs_when_the_client_agrees",
            "wire/test_approval.py::test_a_patch_is_applied_when_the_client_agrees",
            "wire/test_approval.py::test_an_answer_that_is_none_declines",
            "wire/test_approval.py::test_the_first_answer_of_two_clients_counts",
        ),
    ),
    "subscribers": Duty(
        "All who listen to a thread hear the same, the others only that it is there.",
        (
            "wire/test_thread.py::test_two_clients_of_a_thread_hear_the_same",
            "wire/test_thread.py::test_a_client_that_does_not_listen_hears_no_items",
        ),
    ),
    "durable": Duty(
        "What a client was told is on disk, whatever is killed.",
        (
            "wire/test_stored.py::test_turns_come_back_after_the_server_was_killed",
            "wire/test_stored.py::test_a_file_with_a_torn_end_is_loaded",
            "wire/test_stored.py::test_the_list_survives_the_loss_of_its_index",
        ),
    ),
    "isolation": Duty(
        "A worker's death is told to its clients and touches nobody else.",
        (
            "wire/test_turn.py::test_the_death_of_a_worker_is_told_and_the_next_turn_works",
            "wire/test_turn.py::test_the_death_of_the_nursery_process_does_not_end_the_server",
            "wire/test_turn.py::test_a_command_dies_with_its_worker",
        ),
    ),
    "no-leftovers": Duty(
        "No process outlives the server.",
        ("wire/test_turn.py::test_a_killed_server_leaves_no_process_behind",),
    ),
    "bad-input": Duty(
        "No input ends the server; every request is answered.",
        (
            "wire/test_handshake.py::test_what_is_no_request_is_passed_over",
            "wire/test_handshake.py::test_a_bad_request_is_answered_with_an_error",
            "wire/test_handshake.py::test_a_line_of_twenty_megabytes_does_not_end_the_server",
            "wire/test_handshake.py::test_bytes_that_are_no_text_do_not_end_a_server_on_stdio",
        ),
        "one byte of invalid UTF-8 ends the reference",
    ),
    "bad-configuration": Duty(
        "A broken configuration is told and does not stop the start.",
        ("wire/test_handshake.py::test_a_broken_configuration_is_told",),
    ),
    "bad-provider": Duty(
        "A provider that fails in any way fails the turn with a reason, and nothing else.",
        (
            "wire/test_turn.py::test_a_broken_provider_fails_the_turn_and_not_the_thread",
            "wire/test_turn.py::test_a_provider_that_is_not_there_fails_the_turn",
            "wire/test_turn.py::test_a_provider_that_falls_silent_fails_the_turn",
            "wire/test_turn.py::test_unknown_events_of_a_provider_are_passed_over",
        ),
    ),
    "sandbox-levels": Duty(
        "What cannot be confined is refused, and confined by less only where the operator says so.",
        (
            "wire/test_sandbox.py::test_the_reduced_level_is_used_where_it_is_allowed_and_told",
            "wire/test_sandbox.py::test_a_project_cannot_allow_the_reduced_level",
            "wire/test_sandbox.py::test_no_placeholder_stays_when_a_worker_is_killed",
        ),
        "the reference drops the mount of /proc where it is refused",
    ),
}
