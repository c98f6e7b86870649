/* SPDX-License-Identifier: Apache-2.0
 * Invitations: who gets the files, how often, and when nobody does any more.
 */
#include "orchestrator/core/invitation.h"

#include "test.h"

#define RIGHT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

enum { BEGIN = 1000, END = 61000 };

static Invitation invitation(const char *node, const char *hash)
{
    return (Invitation){.node = xstrdup(node),
                        .proof_hash = xstrdup(hash),
                        .bundle = xstrdup("sealed"),
                        .created_at = BEGIN,
                        .expires_at = END};
}

typedef InvitationAnswer (*Decide)(Invitation *, const char *, const char *, int64_t);

static void a_story(void **state)
{
    (void)state;
    static const struct {
        Decide decide;
        const char *hash, *from;
        int64_t now;
        InvitationAnswer answer;
        InvitationState then;
    } steps[] = {
        {invitation_receive, RIGHT, "10.0.0.4", 2000, INVITE_WRONG,
         INVITATION_OPEN}, /* nothing was fetched */
        {invitation_fetch, OTHER, "10.0.0.4", 2000, INVITE_WRONG, INVITATION_OPEN},
        {invitation_fetch, RIGHT, "10.0.0.4", 3000, INVITE_YES, INVITATION_FETCHED},
        {invitation_fetch, RIGHT, "10.0.0.4", 4000, INVITE_AGAIN, INVITATION_FETCHED},
        {invitation_fetch, RIGHT, "10.0.0.9", 4000, INVITE_ELSEWHERE, INVITATION_FETCHED},
        {invitation_fetch, OTHER, "10.0.0.4", 4000, INVITE_WRONG, INVITATION_FETCHED},
        {invitation_receive, OTHER, "10.0.0.4", 5000, INVITE_WRONG, INVITATION_FETCHED},
        {invitation_receive, RIGHT, "10.0.0.9", 5000, INVITE_ELSEWHERE, INVITATION_FETCHED},
        {invitation_receive, RIGHT, "10.0.0.4", 5000, INVITE_YES, INVITATION_RECEIVED},
        {invitation_receive, RIGHT, "10.0.0.4", 6000, INVITE_AGAIN, INVITATION_RECEIVED},
        {invitation_fetch, RIGHT, "10.0.0.4", 6000, INVITE_WRONG, INVITATION_RECEIVED},
        {invitation_receive, RIGHT, "10.0.0.4", END, INVITE_WRONG, INVITATION_EXPIRED},
    };
    Invitation i = invitation("db4", RIGHT);
    for (size_t k = 0; k < COUNT(steps); k++) {
        InvitationAnswer is = steps[k].decide(&i, steps[k].hash, steps[k].from, steps[k].now);
        if (is != steps[k].answer || invitation_state(&i, steps[k].now) != steps[k].then)
            fail_msg("step %zu: answer %d, state %d", k, (int)is, (int)invitation_state(&i, steps[k].now));
    }
    assert_null(i.bundle);
    wire_free(invitation_fields, &i);
}

static void late_and_nobody(void **state)
{
    (void)state;
    Invitation i = invitation("db4", RIGHT);
    assert_int_equal(invitation_fetch(NULL, RIGHT, "10.0.0.4", 2000), INVITE_WRONG);
    assert_int_equal(invitation_receive(NULL, RIGHT, "10.0.0.4", 2000), INVITE_WRONG);
    assert_int_equal(invitation_fetch(&i, RIGHT, "10.0.0.4", END), INVITE_WRONG);
    assert_int_equal(i.fetched_at, 0);
    assert_int_equal(invitation_fetch(&i, RIGHT, "10.0.0.4", END - 1), INVITE_YES);
    assert_int_equal(invitation_receive(&i, RIGHT, "10.0.0.4", END), INVITE_WRONG);
    assert_non_null(i.bundle);
    wire_free(invitation_fields, &i);
}

static void one_for_each_node(void **state)
{
    (void)state;
    InvitationBook b = {0};
    Invitation first = invitation("db4", RIGHT), other = invitation("db5", RIGHT),
               second = invitation("db4", OTHER);
    invitation_put(&b, &first);
    invitation_put(&b, &other);
    invitation_put(&b, &second);
    assert_int_equal(b.invitations.n, 2);
    assert_int_equal(invitation_fetch(invitation_of(&b, "db4"), RIGHT, "10.0.0.4", 2000), INVITE_WRONG);
    assert_int_equal(invitation_fetch(invitation_of(&b, "db4"), OTHER, "10.0.0.4", 2000), INVITE_YES);
    invitation_drop(&b, invitation_of(&b, "db4"));
    assert_null(invitation_of(&b, "db4"));
    assert_non_null(invitation_of(&b, "db5"));
    wire_free(invitation_book_fields, &b);
}

static void the_record_says_it_all(void **state)
{
    (void)state;
    Err err;
    InvitationBook b = {0}, again = {0};
    Invitation i = invitation("db4", RIGHT);
    assert_int_equal(invitation_fetch(&i, RIGHT, "10.0.0.4", 2000), INVITE_YES);
    invitation_put(&b, &i);
    AUTOJSON json_t *j = wire_write(invitation_book_fields, &b);
    assert_ok(wire_read(invitation_book_fields, j, &again, &err), err);
    Invitation *read = invitation_of(&again, "db4");
    assert_int_equal(invitation_fetch(read, RIGHT, "10.0.0.9", 4000), INVITE_ELSEWHERE);
    assert_int_equal(invitation_fetch(read, RIGHT, "10.0.0.4", 4000), INVITE_AGAIN);
    wire_free(invitation_book_fields, &b);
    wire_free(invitation_book_fields, &again);
}

static void wrong_ones_are_slowed(void **state)
{
    (void)state;
    WrongTries w = {0};
    int64_t at = 5000, answered = 0;
    for (int i = 0; i < 1000; i++)
        answered += invitation_may_try(&w, at);
    assert_int_equal(answered, 10);
    assert_true(invitation_may_try(&w, at + 3000));
    assert_false(invitation_may_try(&w, at + 3000));
    /* a day of tries is a few tens of thousands, and then they are as before */
    assert_true(invitation_may_try(&w, at + 86400000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_story),
        cmocka_unit_test(late_and_nobody),
        cmocka_unit_test(one_for_each_node),
        cmocka_unit_test(the_record_says_it_all),
        cmocka_unit_test(wrong_ones_are_slowed),
    };
    return cmocka_run_group_tests_name("invitation", tests, NULL, NULL);
}
