"""Which address is verified is told by allauth's table alone."""

from typing import Any

from django.db import migrations, models


def take_over(apps: Any, schema_editor: Any) -> None:
    address, user = apps.get_model("account", "EmailAddress"), apps.get_model("users", "User")
    known = set(address.objects.values_list("user_id", flat=True))
    rows = user.objects.exclude(id__in=known).values_list("id", "email", "email_verified_at")
    address.objects.bulk_create(
        [
            address(user_id=user_id, email=email, primary=True, verified=verified_at is not None)
            for user_id, email, verified_at in rows.iterator(chunk_size=2000)
        ],
        batch_size=2000,
    )


def give_back(apps: Any, schema_editor: Any) -> None:
    address, user = apps.get_model("account", "EmailAddress"), apps.get_model("users", "User")
    verified = address.objects.filter(verified=True).values("user_id")
    user.objects.filter(id__in=verified).update(email_verified_at=models.F("created_at"))


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0001_initial"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [
        migrations.RunPython(take_over, give_back),
        migrations.RemoveField(model_name="user", name="email_verified_at"),
    ]
