from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ground", "0002_audit_lists"),
    ]

    operations = [
        migrations.AddField(
            model_name="usagerecord",
            name="is_own_key",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
